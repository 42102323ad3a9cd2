package standin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// filter is a condition, or a group of them.
type filter struct {
	Op    string   `json:"op"`
	Field string   `json:"field"`
	UDF   bool     `json:"udf"`
	Value any      `json:"value"`
	Items []filter `json:"items"`
}

// search is what a query asks for.
type search struct {
	Filter        []filter `json:"filter"`
	MaxRecords    *int     `json:"MaxRecords"`
	IncludeFields []string `json:"IncludeFields"`
}

// paging is where a query goes on.
type paging struct {
	PageSize int   `json:"pageSize"`
	After    int64 `json:"nextPageId"`
}

const maxRecords = 500

// query answers with the records of an entity that a search selects, by id.
func (c *call) query(entity string, records func(*call) []object) answer {
	raw, at := c.body, paging{PageSize: maxRecords, After: -1}
	if raw == nil {
		raw = []byte(c.r.URL.Query().Get("search"))
	}
	var s search
	if wrong := decode(raw, &s); wrong != nil {
		return *wrong
	}
	if len(s.Filter) == 0 {
		return refuse("The query has no filter.")
	}
	if s.MaxRecords != nil {
		at.PageSize = *s.MaxRecords
	}
	if text := c.r.URL.Query().Get("paging"); strings.HasSuffix(c.r.URL.Path, "/next") {
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			return refuse("The paging information cannot be read.")
		}
	}
	if at.PageSize < 1 || at.PageSize > maxRecords {
		return refuse("MaxRecords must be between 1 and 500.")
	}
	matching, wrong := s.run(entity, records(c), at.After)
	if wrong != "" {
		return refuse(wrong)
	}
	details := object{"count": min(len(matching), at.PageSize), "requestCount": at.PageSize, "prevPageUrl": nil, "nextPageUrl": nil}
	if len(matching) > at.PageSize {
		matching = matching[:at.PageSize]
		details["nextPageUrl"] = c.nextPage(entity, string(raw), paging{PageSize: at.PageSize, After: idIn(matching[at.PageSize-1])})
	}
	items := make([]object, 0, len(matching))
	for _, m := range matching {
		items = append(items, s.include(m))
	}
	return ok(object{"items": items, "pageDetails": details})
}

func (c *call) nextPage(entity, search string, at paging) string {
	where, err := json.Marshal(at)
	if err != nil {
		return ""
	}
	query := url.Values{"paging": {string(where)}, "search": {search}}
	return "http://" + c.r.Host + "/" + c.Zone + "/ATServicesRest/V1.0/" + entity + "/query/next?" + query.Encode()
}

func idIn(record object) int64 {
	id, _ := record["id"].(int64) // every record has one
	return id
}

// run selects records above an id. wrong says why the search cannot be run.
func (s search) run(entity string, records []object, after int64) (matching []object, wrong string) {
	if len(records) > 0 {
		for _, name := range s.IncludeFields {
			if _, known := records[0][name]; !known {
				return nil, "Unable to find " + name + " in the " + entity + " Entity."
			}
		}
	}
	for _, r := range records {
		good := true
		for _, f := range s.Filter {
			fits, wrong := f.match(r)
			if wrong != "" {
				return nil, wrong + " in the " + entity + " Entity."
			}
			good = good && fits
		}
		if good && idIn(r) > after {
			matching = append(matching, r)
		}
	}
	slices.SortFunc(matching, func(a, b object) int { return cmp.Compare(idIn(a), idIn(b)) })
	return matching, ""
}

func (s search) include(record object) object {
	if len(s.IncludeFields) == 0 {
		return record
	}
	some := object{}
	for _, name := range s.IncludeFields {
		some[name] = record[name]
	}
	return some
}

// match reports whether a record fits; wrong says what of the condition does
// not exist.
func (f filter) match(r object) (fits bool, wrong string) {
	if f.Op == "and" || f.Op == "or" {
		fits = f.Op == "and"
		for _, item := range f.Items {
			one, wrong := item.match(r)
			if wrong != "" {
				return false, wrong
			}
			if f.Op == "and" {
				fits = fits && one
			} else {
				fits = fits || one
			}
		}
		return fits, ""
	}
	have, known := r[f.Field]
	if !known || f.UDF {
		return false, "Unable to find " + f.Field
	}
	text, want := plain(have), plain(f.Value)
	switch f.Op {
	case "exist":
		return have != nil, ""
	case "notExist":
		return have == nil, ""
	case "eq":
		return text == want, ""
	case "noteq":
		return text != want, ""
	case "contains":
		return strings.Contains(text, want), ""
	case "beginsWith":
		return strings.HasPrefix(text, want), ""
	case "endsWith":
		return strings.HasSuffix(text, want), ""
	case "gt", "gte", "lt", "lte":
		return ordered(f.Op, have, f.Value), ""
	case "in", "notIn":
		values, _ := f.Value.([]any) // anything else is a list of none
		in := slices.ContainsFunc(values, func(v any) bool { return plain(v) == text })
		return in == (f.Op == "in"), ""
	}
	return false, "Unknown operator " + f.Op
}

// plain is a value as Autotask compares it: regardless of case, and a boolean
// like 0 and 1.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "1"
		}
		return "0"
	case float64:
		return fmt.Sprintf("%.0f", v)
	default:
		return strings.ToLower(fmt.Sprint(v))
	}
}

func ordered(op string, have, want any) bool {
	a, b := plain(have), plain(want)
	order := strings.Compare(a, b)
	if at, err := time.Parse(time.RFC3339, strings.ToUpper(a)); err == nil {
		if then, err := time.Parse(time.RFC3339, strings.ToUpper(b)); err == nil {
			order = at.Compare(then)
		}
	}
	if _, number := want.(float64); number {
		order = cmp.Or(cmp.Compare(len(a), len(b)), order)
	}
	switch op {
	case "gt":
		return order > 0
	case "gte":
		return order >= 0
	case "lt":
		return order < 0
	default:
		return order <= 0
	}
}
