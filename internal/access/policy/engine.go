package policy

import (
	"errors"
	"fmt"
	"sync"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
)

// rules is the Casbin model: a role, in a domain, may act on an object. The
// domain is an organization or the provider; * stands for any of them.
const rules = `
[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, dom, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && r.obj == p.obj && r.sub == p.sub && (p.dom == "*" || r.dom == p.dom)
`

const anyDomain = "*"

// Role is a role as it is stored.
type Role struct {
	ID             string
	Key            Key    // set for a built-in role, which then has no Permissions of its own
	OrganizationID string // empty for a role of the provider, which counts in all its organizations
	Permissions    []Permission
}

// Engine answers for the roles of one provider. It is immutable, and so safe
// for concurrent use: when a role changes, a new engine takes its place.
//
// Casbin decides, once per role when the role is first asked about; the answers
// are kept as bits, since a request asks many times and must not wait for a lock.
type Engine struct {
	provider string
	index    map[Permission]int
	roles    map[string]compiled
}

type bits [words]uint64

func (b *bits) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b *bits) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

// compiled is all that Casbin can say of a role: it has no other domains. A role
// on which Casbin errs has no permissions.
type compiled struct {
	organization string // the only organization where it counts; "" for all
	decide       func() (decisions, error)
}

type decisions struct{ atProvider, inside bits }

// New returns an engine for the roles of a provider. A permission that no longer
// exists grants nothing, nor does one that the role may not hold (see
// [CheckPermissions]): an old row must not lock a whole provider out. It errs on
// roles that cannot be told apart, and on unknown built-in keys.
func New(provider string, roles []Role) (*Engine, error) {
	if provider == "" {
		return nil, errors.New("policy: the provider must be set")
	}
	parsed, err := model.NewModelFromString(rules)
	if err != nil {
		return nil, fmt.Errorf("policy: model: %w", err)
	}
	e := &Engine{provider: provider, index: map[Permission]int{}, roles: make(map[string]compiled, len(roles))}
	for i, entry := range &catalogue {
		e.index[entry.Permission] = i
	}
	builtIns := map[Key][]Permission{}
	for _, b := range BuiltIns() {
		builtIns[b.Key] = b.Permissions()
	}
	for _, role := range roles {
		if _, twice := e.roles[role.ID]; twice || role.ID == "" {
			return nil, fmt.Errorf("policy: role id %q is empty or occurs twice", role.ID)
		}
		if role.OrganizationID == anyDomain || role.OrganizationID == provider {
			return nil, fmt.Errorf("policy: role %s: %q is no organization", role.ID, role.OrganizationID)
		}
		granted := role.Permissions
		if role.Key != "" {
			var known bool
			if granted, known = builtIns[role.Key]; !known || len(role.Permissions) > 0 {
				return nil, fmt.Errorf("policy: role %s: built-in key %q is unknown, or permissions were added to it", role.ID, role.Key)
			}
		}
		e.roles[role.ID] = compiled{role.OrganizationID, sync.OnceValues(func() (decisions, error) {
			return e.compile(parsed.Copy(), role, granted)
		})}
	}
	return e, nil
}

// compile asks Casbin about every permission at the provider and inside an
// organization. A role at a time, because Casbin's time grows with the number
// of policies, and a provider may have any number of roles.
func (e *Engine) compile(m model.Model, role Role, granted []Permission) (answers decisions, err error) {
	enforcer, err := casbin.NewEnforcer(m)
	if err != nil {
		return decisions{}, err
	}
	inside := role.OrganizationID
	if inside == "" {
		inside = "an organization"
	}
	var policies [][]string
	for _, p := range granted {
		i, exists := e.index[p]
		if !exists || catalogue[i].Reserved() && role.Key != AdministratorWithBilling {
			continue
		}
		domain := role.OrganizationID
		switch {
		case catalogue[i].Level == ProviderLevel && domain != "":
			continue
		case catalogue[i].Level == ProviderLevel:
			domain = e.provider
		case domain == "":
			domain = anyDomain
		}
		policies = append(policies, []string{role.ID, domain, p.Object(), p.Action()})
	}
	if len(policies) > 0 {
		if _, err := enforcer.AddPoliciesEx(policies); err != nil {
			return decisions{}, err
		}
	}
	for domain, into := range map[string]*bits{e.provider: &answers.atProvider, inside: &answers.inside} {
		for i, entry := range &catalogue {
			allowed, err := enforcer.Enforce(role.ID, domain, entry.Permission.Object(), entry.Permission.Action())
			if err != nil {
				return decisions{}, err
			}
			if allowed {
				into.set(i)
			}
		}
	}
	return answers, nil
}

// Allows reports whether a role may do something in a domain: the provider's id,
// or the id of one of its organizations. That the organization is the
// provider's, and that somebody has the role there, the caller has verified. An
// unknown role, permission or empty domain is refused.
func (e *Engine) Allows(role, domain string, p Permission) bool {
	i, exists := e.index[p]
	if !exists {
		return false
	}
	granted, _ := e.at(role, domain)
	return granted.has(i)
}

// Permissions lists what a role may do in a domain, in the catalogue's order.
func (e *Engine) Permissions(role, domain string) []Permission {
	granted, _ := e.at(role, domain)
	var list []Permission
	for i, entry := range &catalogue {
		if granted.has(i) {
			list = append(list, entry.Permission)
		}
	}
	return list
}

// Covers reports whether whoever holds granter in a domain may grant role there:
// nobody grants what they do not hold. It is false if either is unknown, or has
// no meaning in the domain.
func (e *Engine) Covers(granter, role, domain string) bool {
	held, granterCounts := e.at(granter, domain)
	wanted, roleCounts := e.at(role, domain)
	if !granterCounts || !roleCounts {
		return false
	}
	for i := range wanted {
		if wanted[i]&^held[i] != 0 {
			return false
		}
	}
	return true
}

// at is what a role may do in a domain; ok is false where the role is unknown
// or does not count.
func (e *Engine) at(role, domain string) (granted bits, ok bool) {
	r, known := e.roles[role]
	if !known || domain == "" || r.organization != "" && r.organization != domain {
		return bits{}, false
	}
	answers, err := r.decide()
	if err != nil {
		return bits{}, false
	}
	if domain == e.provider {
		return answers.atProvider, true
	}
	return answers.inside, true
}
