package graph

import (
	"reflect"
	"strings"
	"sync"
	"unicode"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// Clause is one field of a filter: which column it is about, and how.
type Clause struct {
	Field  string // the Go field's name
	Column string
	Op     string // eq, prefix, gte, lt, null, notnull or lower
}

// Clauses returns what a filter type keeps by. By convention a field is about
// the column of its name, and equal to it; nameHasPrefix is about the begin of
// name; anything else is said by the tag filter:"column,op".
func Clauses(filter reflect.Type) []Clause {
	clauses := make([]Clause, 0, filter.NumField())
	for i := range filter.NumField() {
		f := filter.Field(i)
		c := Clause{Field: f.Name, Op: "eq"}
		if tag, ok := f.Tag.Lookup("filter"); ok {
			c.Column, c.Op, _ = strings.Cut(tag, ",")
		} else if name, ok := strings.CutSuffix(f.Name, "HasPrefix"); ok {
			c.Column, c.Op = column(name), "prefix"
		} else {
			c.Column = column(f.Name)
		}
		clauses = append(clauses, c)
	}
	return clauses
}

var clauses sync.Map // reflect.Type → []Clause; what a type says never changes

func clausesOf(filter reflect.Type) []Clause {
	if known, ok := clauses.Load(filter); ok {
		list, _ := known.([]Clause)
		return list
	}
	list := Clauses(filter)
	clauses.Store(filter, list)
	return list
}

// where narrows a query by a filter input, which may be nil.
func where[Q guard.Predicator](query Q, filter any) Q {
	v := reflect.ValueOf(filter)
	if !v.IsValid() || v.IsNil() {
		return query
	}
	v = v.Elem()
	for _, c := range clausesOf(v.Type()) {
		if f := v.FieldByName(c.Field); !f.IsNil() {
			query.WhereP(c.predicate(f.Elem()))
		}
	}
	return query
}

func (c Clause) predicate(value reflect.Value) func(*sql.Selector) {
	arg := value.Interface()
	if value.Kind() == reflect.String { // enums are strings to the driver
		arg = value.String()
	}
	return func(s *sql.Selector) {
		col := s.C(c.Column)
		switch c.Op {
		case "prefix":
			text, _ := arg.(string)
			s.Where(sql.GTE(col, text))
			if next, ok := after(text); ok {
				s.Where(sql.LT(col, next))
			}
		case "gte":
			s.Where(sql.GTE(col, arg))
		case "lt":
			s.Where(sql.LT(col, arg))
		case "null", "notnull":
			if arg == (c.Op == "null") {
				s.Where(sql.IsNull(col))
			} else {
				s.Where(sql.NotNull(col))
			}
		case "lower":
			text, _ := arg.(string)
			s.Where(sql.EQ(col, strings.ToLower(text)))
		default:
			s.Where(sql.EQ(col, arg))
		}
	}
}

// after is the least text greater than every text with a prefix, in the byte
// order that both engines compare these columns by.
func after(prefix string) (string, bool) {
	runes := []rune(prefix)
	for i := len(runes) - 1; i >= 0; i-- {
		next := runes[i] + 1
		if next == 0xD800 { // surrogates are no characters
			next = 0xE000
		}
		if next <= unicode.MaxRune {
			return string(append(runes[:i:i], next)), true
		}
	}
	return "", false
}

// column is the snake case of a Go name: UserID → user_id.
func column(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
