package demo

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Announcement is what somebody needs to use the demo. Its JSON form is a
// promise to scripts.
type Announcement struct {
	GraphQL        string          `json:"graphql"` // endpoint
	Console        string          `json:"console"` // GraphiQL, for a browser
	PSA            string          `json:"psa"`     // the page of the Syncro stand-in, where the tickets arrive
	PSAs           PSAs            `json:"psas"`    // the pages of all stand-ins
	Provider       Named           `json:"provider"`
	Organizations  []Named         `json:"organizations"`
	Administrators []Administrator `json:"administrators"`
	Devices        []Device        `json:"devices"`   // simulated, and enrolled
	APNs           string          `json:"apns"`      // the stand-in of Apple's push service
	Simulator      string          `json:"simulator"` // the page of the simulated devices
}

// Named is something with an id and a name.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Administrator is somebody to sign in as.
type Administrator struct {
	Email         string   `json:"email"`
	Password      string   `json:"password"`
	Role          string   `json:"role"`
	APIKey        string   `json:"apiKey"`
	Organizations []string `json:"organizations"` // ids of those in reach
}

// keyName marks the API keys that the demo makes for itself.
const keyName = "demo"

func (d *demo) anonymous() client { return newClient(d.base + "/graphql") }

// create makes the provider and its owner, and everything else through the API.
func (d *demo) create(ctx context.Context) error {
	first := d.content.Administrators[0]
	password, err := d.passwords.of(first.Email)
	if err != nil {
		return err
	}
	if _, _, err := d.app.Access.Bootstrap(ctx, d.content.Provider, first.Email, password); err != nil {
		return fmt.Errorf("create the provider: %w", err)
	}
	session, id, err := d.signIn(ctx, first)
	if err != nil {
		return err
	}
	err = session.do(ctx, `mutation Allow($input: UpdateAdministratorInput!) {
		updateAdministrator(input: $input) { administrator { id } } }`,
		vars{"input": vars{"id": id, "firstname": first.FirstName, "lastname": first.LastName, "apiKeyAllowed": true}}, nil)
	if err != nil {
		return fmt.Errorf("allow the owner API keys: %w", err)
	}
	return fill(ctx, d.content, session, d.passwords, d.psas, d.apns, d.devices.config.Clock())
}

// signIn returns a client that acts as an administrator, and their id.
func (d *demo) signIn(ctx context.Context, a administrator) (client, string, error) {
	password, err := d.passwords.of(a.Email)
	if err != nil {
		return client{}, "", err
	}
	var answer struct {
		SignIn struct{ Session *struct{ AccessToken string } }
	}
	err = d.anonymous().do(ctx, `mutation SignIn($input: SignInInput!) { signIn(input: $input) { session { accessToken } } }`,
		vars{"input": vars{"email": a.Email, "password": password}}, &answer)
	if err == nil && answer.SignIn.Session == nil {
		err = errors.New("a second factor was enrolled")
	}
	if err != nil {
		return client{}, "", fmt.Errorf("sign in as %s, as this data directory was made; if that was changed since, name another with --data: %w", a.Email, err)
	}
	session := d.anonymous().with(authorizationHeader, "Bearer "+answer.SignIn.Session.AccessToken)
	var who struct {
		Viewer struct{ Administrator struct{ ID string } }
	}
	if err := session.do(ctx, `query Viewer { viewer { administrator { id } } }`, nil, &who); err != nil {
		return client{}, "", err
	}
	return session, who.Viewer.Administrator.ID, nil
}

// announce gives every administrator a fresh API key, and gathers what to show.
func (d *demo) announce(ctx context.Context) (Announcement, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := Announcement{GraphQL: d.base + "/graphql", Console: d.base + "/", PSA: d.psas.syncro.url + "/"}
	out.APNs, out.Simulator = d.apns.URL(), d.page+"/"
	out.PSAs = PSAs{Autotask: d.psas.autotask.url + "/", ConnectWise: d.psas.connectWise.url + "/", Syncro: out.PSA}
	arrival, arriving := errgroup.WithContext(ctx)
	var asOwner client
	for i, a := range d.content.Administrators {
		session, id, err := d.signIn(ctx, a)
		if err != nil {
			return Announcement{}, err
		}
		if i == 0 {
			asOwner = session
		}
		key, err := freshKey(ctx, asOwner, id)
		if err != nil {
			return Announcement{}, fmt.Errorf("make an API key for %s: %w", a.Email, err)
		}
		if i == 0 { // while the others sign in, which takes its time
			arrival.Go(func() (err error) {
				out.Devices, err = d.enroll(arriving, d.anonymous().with(apiKeyHeader, key))
				return err
			})
		}
		password, err := d.passwords.of(a.Email)
		if err != nil {
			return Announcement{}, err
		}
		reach, err := organizations(ctx, d.anonymous().with(apiKeyHeader, key))
		if err != nil {
			return Announcement{}, fmt.Errorf("list the organizations of %s: %w", a.Email, err)
		}
		ids := make([]string, len(reach))
		for i, o := range reach {
			ids[i] = o.ID
		}
		if i == 0 {
			out.Organizations = reach
		}
		out.Administrators = append(out.Administrators,
			Administrator{Email: a.Email, Password: password, Role: a.Role, APIKey: key, Organizations: ids})
	}
	var answer struct{ Provider Named }
	if err := asOwner.do(ctx, `query Provider { provider { id name } }`, nil, &answer); err != nil {
		return Announcement{}, err
	}
	out.Provider = answer.Provider
	if err := arrival.Wait(); err != nil {
		return Announcement{}, err
	}
	return out, nil
}

// freshKey makes an API key and revokes those of earlier starts.
func freshKey(ctx context.Context, asOwner client, administrator string) (string, error) {
	var old struct {
		APIKeys struct {
			Edges []struct {
				Node struct {
					ID        string
					Name      string
					RevokedAt *string
				}
			}
		}
	}
	err := asOwner.do(ctx, `query Keys($id: ID!) { apiKeys(first: 500, filter: {administratorId: $id}) { edges { node { id name revokedAt } } } }`,
		vars{"id": administrator}, &old)
	if err != nil {
		return "", err
	}
	for _, e := range old.APIKeys.Edges {
		if e.Node.Name != keyName || e.Node.RevokedAt != nil {
			continue
		}
		err := asOwner.do(ctx, `mutation Revoke($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { apiKey { id } } }`,
			vars{"input": vars{"id": e.Node.ID}}, nil)
		if err != nil {
			return "", err
		}
	}
	var created struct{ CreateAPIKey struct{ Key string } }
	err = asOwner.do(ctx, `mutation Create($input: CreateApiKeyInput!) { createApiKey(input: $input) { key } }`,
		vars{"input": vars{"name": keyName, "administratorId": administrator}}, &created)
	return created.CreateAPIKey.Key, err
}

func organizations(ctx context.Context, as client) ([]Named, error) {
	var answer struct {
		Organizations struct{ Edges []struct{ Node Named } }
	}
	if err := as.do(ctx, `query Organizations { organizations(first: 500) { edges { node { id name } } } }`, nil, &answer); err != nil {
		return nil, err
	}
	all := make([]Named, 0, len(answer.Organizations.Edges))
	for _, e := range answer.Organizations.Edges {
		all = append(all, e.Node)
	}
	return all, nil
}
