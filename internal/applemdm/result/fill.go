package result

import (
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
)

// Limits where a field's tag `max` says nothing else.
const (
	maxText = 255      // characters
	maxData = 64 << 10 // bytes
	maxList = 1_000    // items of a list inside an answer
)

// fill puts a property list's value into what the pointer points to, as far as
// it fits. Fields of a struct are read from the keys of their names, or of
// their tag `key`. The limit is of what the value is: characters, bytes or
// items; 0 is the default.
func fill(into, value any, limit int) error {
	switch into := into.(type) {
	case *string:
		if text, ok := value.(string); ok {
			*into = plist.Clip(text, or(limit, maxText))
		}
	case *[]byte:
		if data, ok := value.([]byte); ok && len(data) <= or(limit, maxData) {
			*into = data
		}
	case **bool:
		if flag, ok := value.(bool); ok {
			*into = &flag
		}
	case **time.Time:
		if at, ok := value.(time.Time); ok {
			*into = &at
		}
	case **int64:
		*into = integer(value)
	case **float64:
		*into = number(value)
	default:
		return fillKind(reflect.ValueOf(into).Elem(), value, limit)
	}
	return nil
}

func fillKind(into reflect.Value, value any, limit int) error {
	switch into.Kind() {
	case reflect.Pointer:
		if _, ok := value.(map[string]any); !ok {
			return nil
		}
		into.Set(reflect.New(into.Type().Elem()))
		return fill(into.Interface(), value, 0)
	case reflect.Slice:
		items, ok := value.([]any)
		if !ok {
			return nil
		}
		if len(items) > or(limit, maxList) {
			return ErrTooMany
		}
		into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
		for i, item := range items {
			if err := fill(into.Index(i).Addr().Interface(), item, 0); err != nil {
				return err
			}
		}
	case reflect.Struct:
		keys, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		for field := range into.Type().Fields() {
			key := field.Tag.Get("key")
			if key == "" {
				key = field.Name
			}
			given, ok := keys[key]
			if !ok {
				continue
			}
			limit, _ := strconv.Atoi(field.Tag.Get("max"))
			if err := fill(into.FieldByIndex(field.Index).Addr().Interface(), given, limit); err != nil {
				return err
			}
		}
	}
	return nil
}

func or(limit, otherwise int) int {
	if limit > 0 {
		return limit
	}
	return otherwise
}

func integer(value any) *int64 {
	var n int64
	switch v := value.(type) {
	case int64:
		n = v
	case uint64:
		if v > math.MaxInt64 {
			return nil
		}
		n = int64(v)
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return nil
		}
		n = int64(v)
	default:
		return nil
	}
	return &n
}

func number(value any) *float64 {
	var n float64
	switch v := value.(type) {
	case float64:
		n = v
	case int64:
		n = float64(v)
	case uint64:
		n = float64(v)
	default:
		return nil
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return nil
	}
	return &n
}
