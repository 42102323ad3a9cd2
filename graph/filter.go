package graph

import (
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Clause is one field of a filter: which columns it is about, and how.
type Clause struct {
	Field   string   // the Go field's name
	Columns []string // of which one must match
	Op      string   // eq, prefix, gte, lt, gteday, ltday, null, notnull or lower
	// Through is the column that refers to a row of Table, whose columns these
	// then are; empty where they are the entity's own.
	Through, Table string
}

// Clauses returns what a filter type keeps by. By convention a field is about
// the column of its name, and equal to it; nameHasPrefix is about the begin of
// name; anything else is said by the tag filter:"column,op". Of "one|other"
// either may match; "user_id>users.email" is a column of what another refers to.
func Clauses(filter reflect.Type) []Clause {
	clauses := make([]Clause, 0, filter.NumField())
	for i := range filter.NumField() {
		f := filter.Field(i)
		c := Clause{Field: f.Name, Op: "eq"}
		if tag, ok := f.Tag.Lookup("filter"); ok {
			var columns string
			columns, c.Op, _ = strings.Cut(tag, ",")
			if through, far, ok := strings.Cut(columns, ">"); ok {
				c.Through = through
				c.Table, columns, _ = strings.Cut(far, ".")
			}
			c.Columns = strings.Split(columns, "|")
		} else if name, ok := strings.CutSuffix(f.Name, "HasPrefix"); ok {
			c.Columns, c.Op = []string{column(name)}, "prefix"
		} else {
			c.Columns = []string{column(f.Name)}
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
	if c.Through == "" {
		return func(s *sql.Selector) { s.Where(c.match(s, arg)) }
	}
	return func(s *sql.Selector) {
		scope, err := tenancy.From(s.Context())
		if err != nil {
			s.AddError(err)
			return
		}
		build := sql.Dialect(s.Dialect())
		table := build.Table(c.Table)
		far := build.Select(table.C("id")).From(table)
		far.Where(sql.And(sql.EQ(far.C(guard.ProviderColumn), scope.Provider()), c.match(far, arg)))
		s.Where(sql.In(s.C(c.Through), far))
	}
}

// match keeps the rows of which one of the columns matches.
func (c Clause) match(s *sql.Selector, arg any) *sql.Predicate {
	matches := make([]*sql.Predicate, 0, len(c.Columns))
	for _, name := range c.Columns {
		matches = append(matches, compare(s.C(name), c.Op, arg))
	}
	if len(matches) == 1 {
		return matches[0]
	}
	return sql.Or(matches...)
}

func compare(col, op string, arg any) *sql.Predicate {
	text, _ := arg.(string)
	switch op {
	case "prefix":
		if next, ok := after(text); ok {
			return sql.And(sql.GTE(col, text), sql.LT(col, next))
		}
		return sql.GTE(col, text)
	case "gte":
		return sql.GTE(col, arg)
	case "lt":
		return sql.LT(col, arg)
	case "gteday", "ltday": // a time stands for its day
		at, _ := arg.(time.Time)
		return compare(col, strings.TrimSuffix(op, "day"), at.UTC().Truncate(24*time.Hour))
	case "null", "notnull":
		if arg == (op == "null") {
			return sql.IsNull(col)
		}
		return sql.NotNull(col)
	case "lower":
		return sql.EQ(col, strings.ToLower(text))
	default:
		return sql.EQ(col, arg)
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
