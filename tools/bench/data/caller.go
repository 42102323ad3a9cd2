package data

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/provider"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/tenancy"
)

// AddCaller gives the measured provider an administrator to whom everything is
// allowed, everywhere, and returns the API key to call with. It works as the
// system, which is the only one that may create the first of a provider.
func AddCaller(ctx context.Context, client *ent.Client) (key string, err error) {
	ctx = tenancy.System(ctx, "make the caller of a measurement")
	owner, err := client.Provider.Query().Where(provider.Name(Provider)).OnlyID(ctx)
	if err != nil {
		return "", fmt.Errorf("find the measured provider: %w", err)
	}
	var everything policy.BuiltIn
	for _, role := range policy.BuiltIns() {
		if role.Key == policy.AdministratorWithBilling {
			everything = role
		}
	}
	permissions := make([]string, 0, len(everything.Permissions()))
	for _, p := range everything.Permissions() {
		permissions = append(permissions, string(p))
	}
	role, err := client.Role.Create().SetProviderID(owner).
		SetKey(string(everything.Key)).SetName(everything.Name).SetPermissions(permissions).Save(ctx)
	if err != nil {
		return "", fmt.Errorf("create a role: %w", err)
	}
	administrator, err := client.Administrator.Create().SetProviderID(owner).
		SetEmail("bench@example.com").SetRoleID(role.ID).
		SetAllOrganizations(true).SetRegistered(true).SetAPIKeyAllowed(true).Save(ctx)
	if err != nil {
		return "", fmt.Errorf("create an administrator: %w", err)
	}
	key, prefix, hash := credential.APIKey.New()
	err = client.ApiKey.Create().SetProviderID(owner).SetAdministratorID(administrator.ID).
		SetName("bench").SetPrefix(prefix).SetSecretHash(hash).Exec(ctx)
	if err != nil {
		return "", fmt.Errorf("create an API key: %w", err)
	}
	return key, nil
}
