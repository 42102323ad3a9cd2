package standin

import (
	"net/http"
	"strings"
)

func readMe(_ *Server, a *account, _ *http.Request, _ []byte) answer {
	u := a.Users[0]
	return answer{http.StatusOK, object{
		"user_id": u.ID, "user_name": u.Name, "user_email": "", "subdomain": a.Subdomain, "admin": !a.ReadOnly,
		"permissions": object{
			"customer": object{"read": true, "write": !a.ReadOnly, "delete": false},
			"ticket":   object{"read": true, "write": !a.ReadOnly, "delete": false},
		},
	}}
}

func readSettings(_ *Server, a *account, _ *http.Request, _ []byte) answer {
	return answer{http.StatusOK, object{
		"ticket": object{"ticket_types": []any{}, "problem_types": a.ProblemTypes, "priorities": a.Priorities},
	}}
}

func readTicketSettings(_ *Server, a *account, _ *http.Request, _ []byte) answer {
	users := make([]object, 0, len(a.Users))
	for _, u := range a.Users {
		users = append(users, object{"id": u.ID, "name": u.Name})
	}
	return answer{http.StatusOK, object{"ticket_status_list": a.Statuses, "ticket_types": []any{}, "users": users}}
}

func listUsers(_ *Server, a *account, _ *http.Request, _ []byte) answer {
	pairs := make([][]any, 0, len(a.Users))
	for _, u := range a.Users {
		pairs = append(pairs, []any{u.ID, u.Name})
	}
	return answer{http.StatusOK, object{"users": pairs}}
}

func (c Customer) render() object {
	return object{
		"id": c.ID, "business_name": orNull(c.BusinessName), "business_then_name": c.BusinessName, "fullname": "",
		"email": nil, "disabled": c.Disabled, "properties": object{}, "contacts": []any{},
	}
}

func listCustomers(_ *Server, a *account, r *http.Request, _ []byte) answer {
	query := r.URL.Query()
	search := strings.ToLower(query.Get("business_name"))
	var matching []object
	for _, c := range a.Customers {
		if (c.Disabled && query.Get("include_disabled") != "true") || !strings.Contains(strings.ToLower(c.BusinessName), search) {
			continue
		}
		matching = append(matching, c.render())
	}
	page, meta := paged(matching, query)
	return answer{http.StatusOK, object{"customers": list(page), "meta": meta}}
}

func readCustomer(s *Server, a *account, r *http.Request, body []byte) answer {
	c, ok := a.customer(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	return answer{http.StatusOK, object{"customer": c.render()}}
}
