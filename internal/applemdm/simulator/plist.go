package simulator

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/micromdm/plist"
)

// Limits of what a device reads.
const (
	maxPlist = 4 << 20 // bytes
	maxDepth = 64
)

// dict is a property list's dictionary.
type dict = map[string]any

// encodePlist writes XML.
func encodePlist(d dict) ([]byte, error) {
	data, err := plist.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode property list: %w", err)
	}
	return data, nil
}

// decodePlist reads XML. The decoder behind it recurses as deep as its input
// and can be crashed by binary ones, so both are refused before.
func decodePlist(data []byte) (dict, error) {
	if len(data) > maxPlist {
		return nil, fmt.Errorf("decode property list: longer than %d bytes", maxPlist)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n\ufeff"), []byte("<")) {
		return nil, errors.New("decode property list: not XML")
	}
	tokens, depth := xml.NewDecoder(bytes.NewReader(data)), 0
	for depth <= maxDepth {
		token, err := tokens.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("decode property list: %w", err)
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("decode property list: deeper than %d", maxDepth)
	}
	var d dict
	if err := plist.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("decode property list: %w", err)
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
