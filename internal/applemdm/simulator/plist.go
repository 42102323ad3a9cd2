package simulator

import (
	"fmt"

	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
)

// maxAnswer is the longest answer that a device reads, in bytes: what a
// property list may have.
const maxAnswer = plist.MaxBody

// dict is a property list's dictionary.
type dict = map[string]any

// encodePlist writes XML.
func encodePlist(d dict) ([]byte, error) {
	data, err := plist.Encode(d)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return data, nil
}

// decodePlist reads XML, within limits.
func decodePlist(data []byte) (dict, error) {
	var d dict
	if err := plist.Decode(data, &d); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return d, nil
}

// get returns a dictionary's value of a type, or that type's zero.
func get[T any](d dict, key string) T {
	value, _ := d[key].(T) // absent and of another type are alike
	return value
}

// number returns a dictionary's integer, or 0.
func number(d dict, key string) int {
	switch n := d[key].(type) {
	case uint64:
		return int(n)
	case int64:
		return int(n)
	}
	return 0
}

// each returns an array's values of a type.
func each[T any](d dict, key string) []T {
	var found []T
	for _, item := range get[[]any](d, key) {
		if value, ok := item.(T); ok {
			found = append(found, value)
		}
	}
	return found
}
