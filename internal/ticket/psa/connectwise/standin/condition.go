package standin

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// columns are what a list's conditions and order may name. Their values are
// strings, int64s, times and bools.
type columns[T any] map[string]func(T) any

// parse reads conditions in ConnectWise's language: comparisons of a field
// with a "string", a number, a [date], True or False, joined by and, or and brackets. A
// backslash in a string is refused, because no document says what it means.
func parse[T any](text string, c columns[T]) (func(T) bool, error) {
	tokens, err := tokenize(text)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return func(T) bool { return true }, nil
	}
	p := &parser[T]{tokens: tokens, columns: c}
	match, err := p.alternatives()
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("unexpected %q", p.tokens[p.at].text)
	}
	return match, err
}

type token struct {
	text   string
	quoted bool
	dated  bool
}

func tokenize(text string) ([]token, error) {
	var tokens []token
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ':
			i++
		case c == '"':
			end := strings.IndexByte(text[i+1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("a string does not end")
			}
			value := text[i+1 : i+1+end]
			if strings.ContainsFunc(value, func(r rune) bool { return r == '\\' || r < ' ' }) {
				return nil, fmt.Errorf("a string holds a backslash or a control character")
			}
			tokens = append(tokens, token{text: value, quoted: true})
			i += end + 2
		case c == '[':
			end := strings.IndexByte(text[i:], ']')
			if end < 0 {
				return nil, fmt.Errorf("a date does not end")
			}
			tokens = append(tokens, token{text: text[i+1 : i+end], dated: true})
			i += end + 1
		case strings.IndexByte("(),", c) >= 0:
			tokens = append(tokens, token{text: string(c)})
			i++
		case strings.IndexByte("=!<>", c) >= 0:
			end := i + 1
			if end < len(text) && text[end] == '=' {
				end++
			}
			tokens = append(tokens, token{text: text[i:end]})
			i = end
		case wordByte(c):
			end := i
			for end < len(text) && wordByte(text[end]) {
				end++
			}
			tokens = append(tokens, token{text: text[i:end]})
			i = end
		default:
			return nil, fmt.Errorf("unexpected %q", string(rune(c)))
		}
	}
	return tokens, nil
}

func wordByte(c byte) bool {
	return c == '/' || c == '_' || c == '.' || c == '-' || (c >= '0' && c <= '9') || (c|0x20 >= 'a' && c|0x20 <= 'z')
}

type parser[T any] struct {
	tokens  []token
	at      int
	columns columns[T]
}

// next takes the next token if it is one of the words; empty takes any.
func (p *parser[T]) next(words ...string) (token, bool) {
	if p.at >= len(p.tokens) {
		return token{}, false
	}
	t := p.tokens[p.at]
	for _, w := range words {
		if !t.quoted && !t.dated && strings.EqualFold(t.text, w) {
			p.at++
			return t, true
		}
	}
	if len(words) == 0 {
		p.at++
	}
	return t, len(words) == 0
}

func (p *parser[T]) alternatives() (func(T) bool, error) {
	left, err := p.conjunction()
	for err == nil {
		if _, ok := p.next("or"); !ok {
			return left, nil
		}
		var right func(T) bool
		if right, err = p.conjunction(); err == nil {
			one := left
			left = func(v T) bool { return one(v) || right(v) }
		}
	}
	return nil, err
}

func (p *parser[T]) conjunction() (func(T) bool, error) {
	left, err := p.unit()
	for err == nil {
		if _, ok := p.next("and"); !ok {
			return left, nil
		}
		var right func(T) bool
		if right, err = p.unit(); err == nil {
			one := left
			left = func(v T) bool { return one(v) && right(v) }
		}
	}
	return nil, err
}

func (p *parser[T]) unit() (func(T) bool, error) {
	if _, ok := p.next("("); ok {
		inner, err := p.alternatives()
		if _, ok := p.next(")"); err == nil && !ok {
			err = fmt.Errorf("a bracket does not end")
		}
		return inner, err
	}
	name, ok := p.next()
	if !ok || name.quoted || name.dated {
		return nil, fmt.Errorf("a field is missing")
	}
	column, ok := p.columns[name.text]
	if !ok {
		return nil, fmt.Errorf("there is no field %q", name.text)
	}
	op, ok := p.next("=", "!=", "<", "<=", ">", ">=", "contains", "like")
	if !ok {
		return nil, fmt.Errorf("a comparison is missing after %s", name.text)
	}
	literal, ok := p.next()
	if !ok {
		return nil, fmt.Errorf("a value is missing after %s", name.text)
	}
	return compare(column, strings.ToLower(op.text), literal)
}

func compare[T any](column func(T) any, op string, literal token) (func(T) bool, error) {
	var zero T
	if _, dated := column(zero).(time.Time); dated != literal.dated {
		return nil, fmt.Errorf("%q is not what the field holds", literal.text)
	}
	switch column(zero).(type) {
	case time.Time:
		want, err := date(literal.text)
		if err != nil || op == "contains" || op == "like" {
			return nil, fmt.Errorf("%q is not a date to compare with", literal.text)
		}
		return func(v T) bool {
			have, _ := column(v).(time.Time)
			return holds(have.Compare(want), op)
		}, nil
	case string:
		if !literal.quoted {
			return nil, fmt.Errorf("%q is not a string", literal.text)
		}
		want := strings.ToLower(literal.text)
		return func(v T) bool {
			text, _ := column(v).(string)
			have := strings.ToLower(text)
			switch op {
			case "contains":
				return strings.Contains(have, want)
			case "like":
				return strings.Contains(have, strings.Trim(want, "%"))
			}
			return holds(cmp.Compare(have, want), op)
		}, nil
	case int64:
		want, err := strconv.ParseInt(literal.text, 10, 64)
		if err != nil || literal.quoted || op == "contains" || op == "like" {
			return nil, fmt.Errorf("%q is not a number to compare with", literal.text)
		}
		return func(v T) bool {
			have, _ := column(v).(int64)
			return holds(cmp.Compare(have, want), op)
		}, nil
	default:
		want := strings.EqualFold(literal.text, "true")
		if literal.quoted || (!want && !strings.EqualFold(literal.text, "false")) || (op != "=" && op != "!=") {
			return nil, fmt.Errorf("%q is neither True nor False", literal.text)
		}
		return func(v T) bool { return (column(v) == want) == (op == "=") }, nil
	}
}

func holds(order int, op string) bool {
	switch op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}
