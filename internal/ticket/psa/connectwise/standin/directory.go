package standin

import (
	"net/http"
	"slices"
)

func listCompanies(_ *Server, a *account, r *http.Request, body []byte) answer {
	companies, err := withChildren(r, body, a.Companies, func(c Company) []int64 { return c.Types },
		columns[int64]{"types/id": func(id int64) any { return id }})
	if err != nil {
		return badList("childConditions", err)
	}
	return list(r, body, companies, columns[Company]{
		"id":          func(c Company) any { return c.ID },
		"name":        func(c Company) any { return c.Name },
		"status/name": func(c Company) any { return c.status().Name },
		"status/id":   func(c Company) any { return c.status().ID },
		"deletedFlag": func(c Company) any { return c.Deleted },
	}, func(c Company) object {
		return object{"id": c.ID, "identifier": c.Name, "name": c.Name, "status": c.status().render(), "deletedFlag": c.Deleted, "types": a.typesOf(c), "_info": object{}}
	})
}

func (a *account) typesOf(c Company) []object {
	types := make([]object, 0, len(c.Types))
	for _, id := range c.Types {
		if found, ok := choice(a.CompanyTypes, id); ok {
			types = append(types, found.render())
		}
	}
	return types
}

func listCompanyTypes(_ *Server, a *account, r *http.Request, body []byte) answer {
	return listChoices(r, body, a.CompanyTypes)
}

func (c Company) status() Choice {
	if c.Inactive {
		return Choice{2, "Inactive"}
	}
	return Choice{1, "Active"}
}

func listBoards(_ *Server, a *account, r *http.Request, body []byte) answer {
	return list(r, body, a.Boards, columns[Board]{
		"id":           func(b Board) any { return b.ID },
		"name":         func(b Board) any { return b.Name },
		"inactiveFlag": func(b Board) any { return b.Inactive },
		"projectFlag":  func(b Board) any { return b.Project },
	}, func(b Board) object {
		return object{"id": b.ID, "name": b.Name, "inactiveFlag": b.Inactive, "projectFlag": b.Project, "sendToContactFlag": true}
	})
}

func listStatuses(s *Server, a *account, r *http.Request, body []byte) answer {
	b, ok := a.board(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	return list(r, body, b.Statuses, columns[Status]{
		"id":           func(v Status) any { return v.ID },
		"name":         func(v Status) any { return v.Name },
		"closedStatus": func(v Status) any { return v.Closed },
	}, func(v Status) object {
		return object{
			"id": v.ID, "name": v.Name, "board": Choice{b.ID, b.Name}.render(), "inactive": v.Inactive, "closedStatus": v.Closed,
			"defaultFlag": v.Default, "sortOrder": slices.Index(b.Statuses, v),
		}
	})
}

func listPriorities(_ *Server, a *account, r *http.Request, body []byte) answer {
	return listChoices(r, body, a.Priorities)
}

func listSources(_ *Server, a *account, r *http.Request, body []byte) answer {
	return listChoices(r, body, a.Sources)
}

func listChoices(r *http.Request, body []byte, all []Choice) answer {
	return list(r, body, all, columns[Choice]{
		"id":   func(c Choice) any { return c.ID },
		"name": func(c Choice) any { return c.Name },
	}, Choice.render)
}

func (c Choice) render() object { return object{"id": c.ID, "name": c.Name} }
