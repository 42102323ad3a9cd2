package demo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	apns "github.com/bailiwick/bailiwick/internal/applemdm/push/standin"
)

// filling creates the demo's content through the public API, as the owner.
type filling struct {
	content content
	owner   client
	ids     struct{ organizations []string }
}

// fill creates everything but the provider and its owner. It is begun once for
// a data directory; one in which it did not finish is not taken up again.
func fill(ctx context.Context, c content, asOwner client, passwords passwords, psas psaServers, apple *apns.Server, now time.Time) error {
	f := filling{content: c, owner: asOwner}
	f.ids.organizations = make([]string, len(c.Organizations))
	for i, o := range c.Organizations {
		if err := f.organization(ctx, i, o); err != nil {
			return fmt.Errorf("create the organization %s: %w", o.Name, err)
		}
	}
	// What follows waits for keys and passwords to be made, so it is done at once.
	parts, within := errgroup.WithContext(ctx)
	for i, o := range c.Organizations {
		if !o.simulated() {
			continue
		}
		parts.Go(func() error {
			if err := f.manage(within, f.ids.organizations[i], apple, now); err != nil {
				return fmt.Errorf("set up the Apple devices of %s: %w", o.Name, err)
			}
			return nil
		})
	}
	parts.Go(func() error {
		if err := f.administrators(within, passwords); err != nil {
			return fmt.Errorf("create the administrators: %w", err)
		}
		if err := f.ticketing(within, psas); err != nil {
			return fmt.Errorf("connect the PSAs: %w", err)
		}
		return nil
	})
	if err := parts.Wait(); err != nil {
		return err
	}
	for i, o := range c.Organizations {
		if err := f.alerts(ctx, f.ids.organizations[i], o); err != nil {
			return fmt.Errorf("raise the alerts of %s: %w", o.Name, err)
		}
	}
	return nil
}

func (f *filling) organization(ctx context.Context, i int, o organizationOf) error {
	var created struct {
		CreateOrganization struct{ Organization struct{ ID string } }
	}
	err := f.owner.do(ctx, `mutation CreateOrganization($input: CreateOrganizationInput!) {
		createOrganization(input: $input) { organization { id } } }`,
		vars{"input": vars{"name": o.Name, "maxSystemUsers": o.MaxSystemUsers}}, &created)
	if err != nil {
		return err
	}
	f.ids.organizations[i] = created.CreateOrganization.Organization.ID
	inside := f.owner.with(organizationHeader, f.ids.organizations[i])

	users := map[string]string{}
	for _, u := range o.Users {
		var created struct {
			CreateUser struct{ User struct{ ID, Login string } }
		}
		err := inside.do(ctx, `mutation CreateUser($input: CreateUserInput!) {
			createUser(input: $input) { user { id login } } }`, vars{"input": u}, &created)
		if err != nil {
			return err
		}
		users[created.CreateUser.User.Login] = created.CreateUser.User.ID
	}
	for _, d := range o.Devices {
		input := vars{"name": d.Name, "serialNumber": d.SerialNumber, "platform": d.Platform, "model": d.Model, "osVersion": d.OSVersion}
		if d.User != "" {
			input["userId"] = users[d.User]
		}
		err := inside.do(ctx, `mutation CreateDevice($input: CreateDeviceInput!) {
			createDevice(input: $input) { device { id } } }`, vars{"input": input}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *filling) administrators(ctx context.Context, passwords passwords) error {
	err := f.owner.do(ctx, `mutation CreateRole($input: CreateRoleInput!) { createRole(input: $input) { role { id } } }`,
		vars{"input": f.content.PartnerRole}, nil)
	if err != nil {
		return err
	}
	roles, err := f.roles(ctx)
	if err != nil {
		return err
	}
	for _, a := range f.content.Administrators[1:] {
		organizations := make([]string, 0, len(a.Organizations))
		for _, i := range a.Organizations {
			organizations = append(organizations, f.ids.organizations[i])
		}
		var created struct {
			CreateAdministrator struct{ ActivationToken string }
		}
		err := f.owner.do(ctx, `mutation CreateAdministrator($input: CreateAdministratorInput!) {
			createAdministrator(input: $input) { activationToken } }`,
			vars{"input": vars{
				"email": a.Email, "firstname": a.FirstName, "lastname": a.LastName, "roleId": roles[a.Role],
				"allOrganizations": a.AllOrganizations, "organizationIds": organizations, "apiKeyAllowed": true,
			}}, &created)
		if err != nil {
			return fmt.Errorf("%s: %w", a.Email, err)
		}
		password, err := passwords.of(a.Email)
		if err != nil {
			return err
		}
		err = f.owner.do(ctx, `mutation Activate($input: ActivateAdministratorInput!) {
			activateAdministrator(input: $input) { administrator { id } } }`,
			vars{"input": vars{"token": created.CreateAdministrator.ActivationToken, "password": password}}, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", a.Email, err)
		}
	}
	return nil
}

func (f *filling) roles(ctx context.Context) (map[string]string, error) {
	var answer struct {
		Roles struct {
			Edges []struct{ Node struct{ ID, Name string } }
		}
	}
	if err := f.owner.do(ctx, `query Roles { roles(first: 100) { edges { node { id name } } } }`, nil, &answer); err != nil {
		return nil, err
	}
	roles := map[string]string{}
	for _, e := range answer.Roles.Edges {
		roles[e.Node.Name] = e.Node.ID
	}
	return roles, nil
}

// problemType is what the demo's tickets are filed under in the stand-in.
const problemType = "Other"

// ticketing connects the provider to all stand-ins. Syncro's makes the tickets.
func (f *filling) ticketing(ctx context.Context, psas psaServers) error {
	companies := map[string]string{}
	for _, c := range psas.autotask.server.Companies(psaAccount) {
		companies[c.Name] = strconv.FormatInt(c.ID, 10)
	}
	_, err := f.connect(ctx, "Autotask", vars{"username": psaAccount, "secret": psas.secret, "baseUrl": psas.autotask.url + "/atservicesrest", "automaticTicketing": false}, companies)
	if err != nil {
		return err
	}
	for _, c := range psas.connectWise.server.Account(psaAccount).Companies {
		companies[c.Name] = strconv.FormatInt(c.ID, 10)
	}
	_, err = f.connect(ctx, "ConnectWise", vars{
		"url": psas.connectWise.url, "companyId": psaAccount, "publicKey": psaAccount, "privateKey": psas.secret, "automaticTicketing": false,
	}, companies)
	if err != nil {
		return err
	}
	for _, c := range psas.syncro.server.Customers(psas.secret) {
		companies[c.BusinessName] = strconv.FormatInt(c.ID, 10)
	}
	integration, err := f.connect(ctx, "Syncro", vars{"subdomain": psaAccount, "apiToken": psas.secret, "baseUrl": psas.syncro.url}, companies)
	if err != nil {
		return err
	}
	return f.configure(ctx, integration)
}

// connect connects a ticketing system, and maps each organization to its
// company of the same name.
func (f *filling) connect(ctx context.Context, product string, input vars, companies map[string]string) (integration string, err error) {
	var connected struct {
		Connect struct{ Integration struct{ ID string } }
	}
	err = f.owner.do(ctx, `mutation Connect($input: Connect`+product+`Input!) {
		connect: connect`+product+`(input: $input) { integration { id } } }`, vars{"input": input}, &connected)
	if err != nil {
		return "", fmt.Errorf("%s: %w", product, err)
	}
	integration = connected.Connect.Integration.ID
	mappings := make([]vars, len(f.ids.organizations))
	for i, id := range f.ids.organizations {
		mappings[i] = vars{"organizationId": id, "externalCompanyId": companies[f.content.Organizations[i].Name]}
	}
	err = f.owner.do(ctx, `mutation Map($input: SetTicketingCompanyMappingsInput!) {
		setTicketingCompanyMappings(input: $input) { mappings { id } } }`,
		vars{"input": vars{"integrationId": integration, "mappings": mappings}}, nil)
	if err != nil {
		return "", fmt.Errorf("%s: map the organizations: %w", product, err)
	}
	return integration, nil
}

// configure has every alert type that can be raised become a Syncro ticket.
func (f *filling) configure(ctx context.Context, integration string) error {
	var catalogue struct {
		AlertTypes []struct {
			Key             string
			Raisable        bool
			DefaultSeverity string
		}
	}
	if err := f.owner.do(ctx, `query Types { alertTypes { key raisable defaultSeverity } }`, nil, &catalogue); err != nil {
		return err
	}
	priorities := map[string]string{"HIGH": "1 High", "MEDIUM": "2 Normal", "LOW": "3 Low"}
	for _, t := range catalogue.AlertTypes {
		if !t.Raisable {
			continue
		}
		err := f.owner.do(ctx, `mutation Configure($input: UpdateSyncroAlertConfigurationInput!) {
			updateSyncroAlertConfiguration(input: $input) { configuration { id } } }`,
			vars{"input": vars{
				"integrationId": integration, "alertType": t.Key, "shouldCreateTickets": true,
				"problemType": problemType, "priority": priorities[t.DefaultSeverity], "dueDays": 3,
			}}, nil)
		if err != nil {
			return fmt.Errorf("configure %s: %w", t.Key, err)
		}
	}
	return nil
}

func (f *filling) alerts(ctx context.Context, organization string, o organizationOf) error {
	inside := f.owner.with(organizationHeader, organization)
	var known struct {
		Devices struct {
			Edges []struct{ Node struct{ ID, Name string } }
		}
		Users struct {
			Edges []struct{ Node struct{ ID, Login string } }
		}
	}
	err := inside.do(ctx, `query Known { devices(first: 100) { edges { node { id name } } } users(first: 100) { edges { node { id login } } } }`, nil, &known)
	if err != nil {
		return err
	}
	ids := map[string]string{}
	for _, e := range known.Devices.Edges {
		ids[e.Node.Name] = e.Node.ID
	}
	for _, e := range known.Users.Edges {
		ids[e.Node.Login] = e.Node.ID
	}
	for _, a := range o.Alerts {
		input := vars{"type": a.Type, "title": a.Title, "severity": a.Severity, "description": a.Description}
		if a.Device != "" {
			input["deviceId"] = ids[a.Device]
		}
		if a.User != "" {
			input["userId"] = ids[a.User]
		}
		err := inside.do(ctx, `mutation RaiseAlert($input: RaiseAlertInput!) { raiseAlert(input: $input) { alert { id } } }`,
			vars{"input": input}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// customers are the stand-in's: each organization's company, and two that
// Northwind does not look after with Bailiwick.
func (c content) customers() []string {
	var all []string
	for _, o := range c.Organizations {
		all = append(all, o.Name)
	}
	return append(all, "Dunmore Bakery", "Eastgate Legal")
}
