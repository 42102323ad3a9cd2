package psa

import "github.com/bailiwick/bailiwick/internal/fault"

// Option is a field of a ticket and what it may hold.
type Option struct {
	Name   string // the field, as the vendor's settings name it: "problemType"
	Values []OptionValue
}

// OptionValue is one choice.
type OptionValue struct {
	Value  string // what the API takes
	Label  string // what people read
	Active bool   // an inactive value is on old tickets and refused on new ones
	Parent string // the value of the field that it depends on: a status's board; empty if none
}

// CheckOption returns nil if the named option has an active choice of this
// value, and otherwise a *fault.Error on the field. parent restricts dependent
// values; empty accepts any.
func CheckOption(options []Option, name, value, parent, field string) error {
	for _, o := range options {
		if o.Name != name {
			continue
		}
		for _, v := range o.Values {
			if v.Value != value || (parent != "" && v.Parent != parent) {
				continue
			}
			if !v.Active {
				return fault.Invalid(field, "%s %q is inactive in the PSA", name, v.Label)
			}
			return nil
		}
	}
	return fault.Invalid(field, "the PSA has no %s %q", name, value)
}

// NameOption is what people call a choice that [CheckOption] accepts. A name
// that was given, and is another, is a *fault.Error on the field.
func NameOption(options []Option, name, value, parent, given, field string) (string, error) {
	for _, o := range options {
		for _, v := range o.Values {
			if o.Name != name || v.Value != value || (parent != "" && v.Parent != parent) {
				continue
			}
			if given != "" && given != v.Label {
				return "", fault.Invalid(field, "the %s %s is called %q", name, value, v.Label)
			}
			return v.Label, nil
		}
	}
	return given, nil
}
