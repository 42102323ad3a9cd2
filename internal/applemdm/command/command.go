// Package command holds the commands that the server gives to Apple devices.
// A command is a struct named and keyed as Apple's, and one line in the
// catalogue with the systems that obey it; from these follow its validation,
// its encoding, and whether it must be encrypted where it is stored.
// Source: Apple's device-management schema, against which the tests compare
// every command.
package command

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// Command is one of the catalogue's structs: a value, not a pointer.
//
// Its fields are the keys of Apple's Command dictionary. A field tagged
// omitempty is left out when it is empty; where false or 0 differs from absent,
// it is a pointer.
type Command interface {
	check(Target) *fault.Error
}

// request is what every command embeds.
type request struct{}

// check accepts: most commands have nothing to say beyond the catalogue.
func (request) check(Target) *fault.Error { return nil }

// LogValue keeps what a command holds out of logs.
func (request) LogValue() slog.Value { return slog.StringValue("[command]") }

// RequestType returns Apple's name of the command, such as DeviceLock.
func RequestType(c Command) string { return reflect.TypeOf(c).Name() }

// Validate reports whether a device of this kind can be given the command. Its
// error is a *fault.Error: INVALID_ARGUMENT with the input field at fault,
// PLATFORM_NOT_SUPPORTED, or PRECONDITION_FAILED for a device that is too old,
// too new, not supervised, or a user's own.
func Validate(c Command, t Target) error {
	entry, known := catalogue()[RequestType(c)]
	if !known {
		return fault.New(fault.Internal, "command %s is not in the catalogue", RequestType(c))
	}
	if err := entry.support.check(RequestType(c), t); err != nil {
		return err
	}
	if err := c.check(t); err != nil {
		return err
	}
	return nil
}

// Sensitive reports whether the command can hold a secret, and so must be
// encrypted where it is stored.
func Sensitive(c Command) bool { return holdsSecret(reflect.TypeOf(c)) }

// Encode writes the property list that a device is sent. The UUID is the
// queue's id of the command, and comes back in the device's reports.
func Encode(c Command, uuid string) ([]byte, error) {
	if _, known := catalogue()[RequestType(c)]; !known || uuid == "" {
		return nil, fmt.Errorf("encode %T: not in the catalogue, or no command UUID", c)
	}
	keys := map[string]any{"RequestType": RequestType(c)}
	value := reflect.ValueOf(c)
	for _, field := range reflect.VisibleFields(value.Type()) {
		content := value.FieldByIndex(field.Index)
		if !field.IsExported() || strings.Contains(field.Tag.Get("plist"), "omitempty") && empty(content) {
			continue
		}
		keys[field.Name] = reflect.Indirect(content).Interface()
	}
	return plist.Encode(map[string]any{"Command": keys, "CommandUUID": uuid})
}

func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice {
		return v.Len() == 0
	}
	return v.IsZero()
}

// Marshal writes a command for storage: JSON, secrets included.
func Marshal(c Command) ([]byte, error) { return json.Marshal(c) }

// Unmarshal reads what [Marshal] wrote, by the command's RequestType.
func Unmarshal(requestType string, data []byte) (Command, error) {
	entry, known := catalogue()[requestType]
	if !known {
		return nil, fmt.Errorf("command %q is not in the catalogue", requestType)
	}
	return entry.decode(data)
}

// RequestTypes lists the catalogue's commands in alphabetical order.
func RequestTypes() []string { return names() }
