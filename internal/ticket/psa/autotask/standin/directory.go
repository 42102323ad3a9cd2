package standin

import (
	"cmp"
	"slices"
	"strconv"
)

// tables are the records of each entity that can be queried.
var tables = map[string]func(*call) []object{
	"Companies": func(c *call) []object { return rendered(c.base.companies, Company.render) },
	"Contacts": func(c *call) []object {
		return rendered(c.base.contacts, func(p contact) object {
			return object{"id": p.id, "companyID": p.companyID, "firstName": p.name, "lastName": "", "isActive": 1, "primaryContact": true}
		})
	},
	"Resources": func(c *call) []object {
		return rendered(c.base.resources, func(r Resource) object {
			return object{"id": r.ID, "firstName": r.First, "lastName": r.Last, "isActive": !r.Inactive, "email": nil}
		})
	},
	"Roles": func(c *call) []object {
		return rendered(c.base.roles, func(r Role) object { return object{"id": r.ID, "name": r.Name, "isActive": !r.Inactive} })
	},
	"ResourceServiceDeskRoles": func(c *call) []object {
		return rendered(c.base.pairs, func(p pair) object {
			return object{"id": p.id, "resourceID": p.resource, "roleID": p.role, "isActive": true, "isDefault": false}
		})
	},
	"Tickets":     func(c *call) []object { return rendered(c.visible(), func(t *Ticket) object { return t.render() }) },
	"TicketNotes": allNotes,

	"Contracts": contractTable, "ContractServices": contractServiceTable, "ContractServiceUnits": contractServiceUnitTable, "Services": serviceTable,
	"TicketWebhooks": func(c *call) []object { return rendered(c.base.hooks, (*hook).render) },
}

func rendered[T any](all []T, render func(T) object) []object {
	out := make([]object, 0, len(all))
	for _, one := range all {
		out = append(out, render(one))
	}
	return out
}

func (c Company) render() object {
	return object{"id": c.ID, "companyName": c.Name, "isActive": !c.Inactive, "companyType": cmp.Or(c.Type, 1)}
}

func readCompany(c *call) answer {
	found, there := c.base.company(idOf(c.r))
	if !there {
		return ok(object{"item": nil})
	}
	return ok(object{"item": found.render()})
}

func describeTickets(c *call) answer {
	write := "All"
	if c.ReadOnly {
		write = "None"
	}
	return ok(object{"info": object{
		"name": "Ticket", "canCreate": true, "canDelete": false, "canQuery": true, "canUpdate": true,
		"userAccessForCreate": write, "userAccessForDelete": "None", "userAccessForQuery": "All", "userAccessForUpdate": write,
		"hasUserDefinedFields": true, "supportsWebhookCallouts": true,
	}})
}

// pickField describes a field that has a picklist. Its values are text, though
// the field's are numbers.
func pickField(name string, required bool, values []Pick) object {
	list := make([]object, 0, len(values))
	for i, v := range values {
		list = append(list, object{
			"value": strconv.Itoa(v.Value), "label": v.Label, "isDefaultValue": false, "sortOrder": i,
			"parentValue": "", "isActive": !v.Inactive, "isSystem": v.Label == workflowNote,
		})
	}
	return object{
		"name": name, "dataType": "integer", "length": 0, "isRequired": required, "isReadOnly": false, "isQueryable": true,
		"isReference": false, "isPickList": true, "picklistParentValueField": "", "picklistValues": list,
	}
}

func textField(name string, length int, required bool) object {
	return object{
		"name": name, "dataType": "string", "length": length, "isRequired": required, "isReadOnly": false, "isQueryable": true,
		"isReference": false, "isPickList": false, "picklistParentValueField": "", "picklistValues": nil,
	}
}

func ticketFieldsOf(c *call) answer {
	b := c.base
	return ok(object{"fields": []object{
		textField("title", maxTitle, true), textField("description", maxDescription, false), textField("externalID", maxExternalID, false),
		pickField("status", true, b.statuses), pickField("priority", true, b.priorities),
		pickField("queueID", false, b.queues), pickField("source", false, b.sources),
	}})
}

func companyFieldsOf(c *call) answer {
	return ok(object{"fields": []object{
		textField("companyName", maxCompanyName, true), pickField("companyType", true, c.base.companyTypes),
	}})
}

const maxCompanyName = 100

func noteFieldsOf(c *call) answer {
	return ok(object{"fields": []object{
		textField("title", maxNoteTitle, false), textField("description", maxNote, true),
		pickField("noteType", true, noteTypes), pickField("publish", true, c.base.publishing),
	}})
}

const workflowNote = "Workflow Rule Note"

var noteTypes = []Pick{{13, workflowNote, false}, {1, "Task Detail", false}, {3, "Task Summary", false}}

// visible are the tickets that a query finds.
func (c *call) visible() []*Ticket {
	now := c.config.Clock()
	return slices.DeleteFunc(slices.Clone(c.base.tickets), func(t *Ticket) bool {
		return t.ID > c.newest || now.Sub(t.CreatedAt) < c.config.SearchDelay
	})
}

func allNotes(c *call) []object {
	var out []object
	for _, t := range c.base.tickets {
		for _, n := range t.Notes {
			out = append(out, n.render(t.ID))
		}
	}
	return out
}
