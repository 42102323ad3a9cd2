package keystore_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/access/token"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/keystore"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Every sealed column of two providers and of the deployment is re-encrypted,
// opens afterwards, and is left alone by a second run.
func TestResealers(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		vault := newVault(t, db)
		signing := keystore.NewSigningKeys(db, vault)
		keys, err := token.NewKeySet(signing, token.DefaultSchedule(), time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		client := db.Client()
		system := tenancy.System(t.Context(), "make two providers")
		places := map[string]secret.Place{}
		for _, name := range []string{"North", "South"} {
			provider := client.Provider.Create().SetName(name).SaveX(system)
			ctx := tenancy.With(t.Context(), tenancy.ForProvider(tenancy.ServicePrincipal("test"), provider.ID))
			integration := client.TicketingIntegration.Create().SetKind("SYNCRO").SetName(name).SetAccount("a").SetCredentials([]byte("?")).SaveX(ctx)
			place := secret.Place{Tenant: provider.ID, Table: "ticketing_integrations", Column: "credentials", Row: integration.ID}
			sealed, err := vault.Seal(ctx, place, []byte("token of "+name))
			if err != nil {
				t.Fatal(err)
			}
			integration.Update().SetCredentials(sealed).ExecX(ctx)
			places[name] = place
		}
		before, err := signing.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rotation := secret.Rotation{NewKeysBefore: time.Now(), Resealers: keystore.Resealers(db)}
		for run, want := range []int{2 + len(before), 0} {
			changed := map[string]int{}
			rotation.Progress = func(p secret.Progress) { changed[p.Stage] = p.Changed }
			if err := vault.Rotate(t.Context(), rotation); err != nil {
				t.Fatal(err)
			}
			if got := changed["ticketing_integrations.credentials"] + changed["signing_keys.private_key"]; got != want {
				t.Errorf("run %d re-encrypted %d secrets, want %d: %v", run, got, want, changed)
			}
			rotation.NewKeysBefore = time.Time{}
		}
		fresh := newVaultLike(t, vault)
		for name, place := range places {
			row := client.TicketingIntegration.GetX(tenancy.System(t.Context(), "read a test's row"), place.Row)
			if plain, err := fresh.Open(t.Context(), place, row.Credentials); err != nil || string(plain) != "token of "+name {
				t.Errorf("%s: %q, %v", name, plain, err)
			}
		}
		after, err := signing.Keys(t.Context())
		if err != nil || len(after) != len(before) || !bytes.Equal(after[0].Private, before[0].Private) {
			t.Errorf("signing keys: %d before, %d after, %v", len(before), len(after), err)
		}
	})
}
