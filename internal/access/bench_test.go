package access_test

import (
	"strconv"
	"testing"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/tenancy"
)

// A warm request costs the same with 2,000 organizations as with 2.
func BenchmarkWarmRequest(b *testing.B) {
	for _, organizations := range []int{2, 2000} {
		b.Run(strconv.Itoa(organizations), func(b *testing.B) {
			w := openWorld(b)
			client := w.db.Client()
			rows := make([]*ent.OrganizationCreate, 0, organizations)
			for i := len(w.acme.orgs); i < organizations; i++ {
				rows = append(rows, client.Organization.Create().SetProviderID(w.acme.provider.ID).SetName(strconv.Itoa(i)))
			}
			client.Organization.CreateBulk(rows...).ExecX(tenancy.System(b.Context(), "test"))
			bearer := w.signIn(w.acme.owner.Email).Access
			w.mustAs(bearer, "")
			before := w.statements.Load()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.mustAs(bearer, "").Authorize(b.Context(), "alert.change_alert"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.statements.Load()-before)/float64(b.N), "statements/op")
		})
	}
}
