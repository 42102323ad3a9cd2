package standin

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a page.
const (
	defaultPage = 25
	maxPage     = 1000
)

// search is the body of a list that is too long to ask for in a URL.
type search struct {
	Conditions            string `json:"conditions"`
	OrderBy               string `json:"orderBy"`
	ChildConditions       string `json:"childConditions"`
	CustomFieldConditions string `json:"customFieldConditions"`
}

// list answers with a page of what matches the request's conditions. Without
// an order it lists the newest first.
func list[T any](r *http.Request, body []byte, all []T, c columns[T], render func(T) object) answer {
	query := r.URL.Query()
	asked := search{Conditions: query.Get("conditions"), OrderBy: query.Get("orderBy")}
	if r.Method == http.MethodPost {
		if wrong := decode(body, &asked, "search"); wrong != nil {
			return *wrong
		}
	}
	match, err := parse(asked.Conditions, c)
	if err != nil {
		return badList("conditions", err)
	}
	matching := slices.DeleteFunc(slices.Clone(all), func(v T) bool { return !match(v) })
	if err := order(matching, cmp.Or(asked.OrderBy, "id desc"), c); err != nil {
		return badList("orderBy", err)
	}
	number, size, err := bounds(query)
	if err != nil {
		return badList("page", err)
	}
	pages := (len(matching) + size - 1) / size
	start := min((number-1)*size, len(matching))
	items := make([]object, 0, size)
	for _, v := range matching[start:min(start+size, len(matching))] {
		item, err := narrow(render(v), query.Get("fields"))
		if err != nil {
			return badList("fields", err)
		}
		items = append(items, item)
	}
	reply := answer{status: http.StatusOK, body: items}
	if link := links(r, number, pages); link != "" {
		reply.header = http.Header{"Link": {link}}
	}
	return reply
}

// withChildren keeps the records of which at least one child matches the
// request's child conditions.
func withChildren[T, C any](r *http.Request, body []byte, all []T, children func(T) []C, c columns[C]) ([]T, error) {
	conditions := r.URL.Query().Get("childConditions")
	if r.Method == http.MethodPost {
		var asked search
		if wrong := decode(body, &asked, "search"); wrong != nil {
			return all, nil // list says what is wrong with it
		}
		conditions = cmp.Or(asked.ChildConditions, conditions)
	}
	if conditions == "" {
		return all, nil
	}
	match, err := parse(conditions, c)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(v T) bool { return !slices.ContainsFunc(children(v), match) }), nil
}

func badList(parameter string, err error) answer {
	return refused(http.StatusBadRequest, "InvalidParameter", parameter+" is invalid: "+err.Error())
}

func order[T any](items []T, text string, c columns[T]) error {
	name, direction, _ := strings.Cut(text, " ")
	column, ok := c[name]
	if !ok || (direction != "" && direction != "asc" && direction != "desc") {
		return fmt.Errorf("no order %q", text)
	}
	slices.SortStableFunc(items, func(a, b T) int {
		var by int
		switch v := column(a).(type) {
		case string:
			other, _ := column(b).(string)
			by = cmp.Compare(strings.ToLower(v), strings.ToLower(other))
		case int64:
			other, _ := column(b).(int64)
			by = cmp.Compare(v, other)
		}
		if direction == "desc" {
			return -by
		}
		return by
	})
	return nil
}

func bounds(query url.Values) (number, size int, err error) {
	number, size = 1, defaultPage
	for name, value := range map[string]*int{"page": &number, "pageSize": &size} {
		if text := query.Get(name); text != "" {
			if *value, err = strconv.Atoi(text); err != nil || *value < 1 {
				return 0, 0, fmt.Errorf("%s %q", name, text)
			}
		}
	}
	if size > maxPage {
		return 0, 0, fmt.Errorf("pageSize exceeds %d", maxPage)
	}
	return number, size, nil
}

// narrow leaves only the fields that were asked for.
func narrow(item object, fields string) (object, error) {
	if fields == "" {
		return item, nil
	}
	kept := object{}
	for name := range strings.SplitSeq(fields, ",") {
		value, ok := item[name]
		if !ok {
			return nil, fmt.Errorf("there is no field %q", name)
		}
		kept[name] = value
	}
	return kept, nil
}

// links is the Link header: where the pages around this one are.
func links(r *http.Request, number, pages int) string {
	var all []string
	add := func(rel string, page int) {
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(page))
		all = append(all, fmt.Sprintf(`<https://%s%s?%s>; rel=%q`, r.Host, r.URL.Path, query.Encode(), rel))
	}
	if number < pages {
		add("next", number+1)
		add("last", pages)
	}
	if number > 1 {
		add("first", 1)
		add("prev", number-1)
	}
	return strings.Join(all, ", ")
}
