package app_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	protocol "github.com/smallstep/scep"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func TestEnrolment(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		id, path := m.enrollment(t, m.a, map[string]any{"quota": 2})
		status, _ := m.get(t, path)
		require.Equal(t, http.StatusServiceUnavailable, status, "there is no push certificate")
		m.ready(t, m.a)
		m.ready(t, m.b)

		r, page := m.call(t, http.MethodGet, path, nil, nil)
		require.Equal(t, http.StatusOK, r.StatusCode)
		text := string(page)
		for _, part := range []string{"Acme", "North", `lang="en"`, path + "/profile"} {
			require.Contains(t, text, part)
		}
		require.NotContains(t, text, "<script")
		style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(text)
		require.Len(t, style, 2)
		sum := sha256.Sum256([]byte(style[1]))
		require.Contains(t, r.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))

		token := path[strings.LastIndex(path, "/")+1:]
		foreign := "/mdm/" + m.b.organization + "/enroll/" + token
		unknown := "/mdm/" + m.b.organization + "/enroll/UNKNOWN"
		nowhere := "/mdm/org_01arz3ndektsv4rrffq69g5fav/enroll/" + token
		_, want := m.get(t, unknown)
		for _, wrong := range []string{foreign, foreign + "/profile", nowhere, nowhere + "/profile", unknown} {
			status, body := m.get(t, wrong)
			require.Equal(t, http.StatusNotFound, status, wrong)
			require.Equal(t, string(want), string(body), "another tenant's reads like none")
		}

		form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		own := "/mdm/" + m.a.organization + "/enroll"
		_, body := m.call(t, http.MethodGet, own, nil, nil)
		require.NotContains(t, string(body), "Acme", "nobody is told whose page it is before they know a code")
		r, _ = m.call(t, http.MethodPost, own, form, []byte("code="+strings.ToLower(token)))
		require.Equal(t, http.StatusSeeOther, r.StatusCode)
		require.Equal(t, mdmURL+own+"/"+strings.ToLower(token), r.Header.Get("Location"))
		r, _ = m.call(t, http.MethodPost, own, form, []byte("code="+strings.Repeat("x", 1<<20)))
		require.Equal(t, http.StatusBadRequest, r.StatusCode)

		challenge, payload := m.download(t, path)
		require.Equal(t, "com.apple.mgmt.External.Acme", payload["Topic"])
		require.Equal(t, mdmURL+"/mdm/"+m.a.organization+"/connect", payload["ServerURL"])
		second, again := m.download(t, path)
		require.NotEqual(t, challenge, second, "each has a challenge of its own")
		require.Equal(t, payload["PayloadUUID"], again["PayloadUUID"])

		require.Nil(t, m.identify(t, m.b.organization, challenge), "another tenant's challenge")
		require.Nil(t, m.identify(t, m.a.organization, "guessed"))
		require.Nil(t, m.identify(t, m.a.organization, ""))
		by := stranger(t)
		message := m.ask(t, m.a.organization, protocol.PKCSReq, by, by.key, challenge)
		identity := m.send(t, m.a.organization, message, by)
		require.NotNil(t, identity)
		require.Equal(t, []string{"Acme"}, identity.Subject.Organization, "the subject is the server's")
		require.NotEqual(t, "admin", identity.Subject.CommonName)
		require.Nil(t, m.send(t, m.a.organization, message, by), "a replay")
		require.Nil(t, m.identify(t, m.a.organization, challenge), "used")
		for tenant, want := range map[*mdmTenant]error{&m.a: nil, &m.b: pki.ErrIdentity} {
			site, err := m.AppleMDM.Site(t.Context(), tenant.organization)
			require.NoError(t, err)
			require.ErrorIs(t, site.Trust.Verify(identity, m.now()), want)
		}

		m.ahead.Add(int64(61 * time.Minute))
		require.Nil(t, m.identify(t, m.a.organization, second), "expired")
		require.NoError(t, m.AppleMDM.Prune(t.Context()))
		left, err := m.Client.ScepChallenge.Query().Count(m.scope(t, m.a))
		require.NoError(t, err)
		require.Zero(t, left)

		old, _ := m.download(t, path)
		var rotated struct{ RotateEnrollment struct{ Link string } }
		m.must(t, m.a.key, "", `mutation($id: ID!) { rotateEnrollment(input: {id: $id}) { link } }`, map[string]any{"id": id}, &rotated)
		status, _ = m.get(t, path)
		require.Equal(t, http.StatusNotFound, status)
		require.Nil(t, m.identify(t, m.a.organization, old), "downloaded with the old link")
		path = strings.TrimPrefix(rotated.RotateEnrollment.Link, mdmURL)
		fresh, _ := m.download(t, path)
		require.NotNil(t, m.identify(t, m.a.organization, fresh))
		status, _ = m.get(t, path)
		require.Equal(t, http.StatusGone, status, "the quota is used up")

		var revealed struct {
			RevealEnrollmentLink struct {
				Link       string
				Enrollment struct{ Used int }
			}
		}
		m.must(t, m.a.key, "", `mutation($id: ID!) { revealEnrollmentLink(input: {id: $id}) { link enrollment { used } } }`, map[string]any{"id": id}, &revealed)
		require.Equal(t, mdmURL+path, revealed.RevealEnrollmentLink.Link)
		require.Equal(t, 2, revealed.RevealEnrollmentLink.Enrollment.Used)
		var logged struct {
			SystemLogEvents struct {
				Edges []struct {
					Node struct{ Targets []struct{ ID string } }
				}
			}
		}
		m.must(t, m.a.key, "", `{ systemLogEvents(filter: {eventType: "revealEnrollmentLink"}) { edges { node { targets { id } } } } }`, nil, &logged)
		require.Equal(t, id, logged.SystemLogEvents.Edges[0].Node.Targets[0].ID)
		for _, operation := range []string{"revealEnrollmentLink", "rotateEnrollment", "revokeEnrollment", "updateEnrollment"} {
			query := fmt.Sprintf(`mutation($id: ID!) { %s(input: {id: $id}) { enrollment { id } } }`, operation)
			require.Equal(t, "NOT_FOUND", code(m.do(t, m.b.key, "", query, map[string]any{"id": id}, nil)), operation)
		}

		m.must(t, m.a.key, "", `mutation($id: ID!) { updateEnrollment(input: {id: $id, quota: null}) { enrollment { quota } } }`, map[string]any{"id": id}, nil)
		waiting, _ := m.download(t, path)
		const suspend, resume = `mutation($id: ID!) { suspendOrganization(input: {id: $id}) { organization { id } } }`, `mutation($id: ID!) { resumeOrganization(input: {id: $id}) { organization { id } } }`
		m.must(t, m.a.key, "", suspend, map[string]any{"id": m.a.organization}, nil)
		status, _ = m.get(t, path)
		require.Equal(t, http.StatusForbidden, status)
		require.Nil(t, m.identify(t, m.a.organization, waiting))
		m.must(t, m.a.key, "", resume, map[string]any{"id": m.a.organization}, nil)

		m.must(t, m.a.key, "", `mutation($id: ID!) { updateAppleMdm(input: {id: $id, enrollmentLimit: 1}) { appleMdm { id } } }`, map[string]any{"id": m.a.id}, nil)
		status, _ = m.get(t, path)
		require.Equal(t, http.StatusOK, status)
		taken := m.enrolled(t, m.a, "C01", "f")
		status, _ = m.get(t, path)
		require.Equal(t, http.StatusForbidden, status, "the limit is reached")
		require.Nil(t, m.identify(t, m.a.organization, waiting))
		site, err := m.AppleMDM.Site(t.Context(), m.a.organization)
		require.NoError(t, err)
		require.NoError(t, m.AppleMDM.CheckSeat(m.scope(t, m.a), site, taken.ID, 1), "who has a seat keeps it")
		m.must(t, m.a.key, "", `mutation($id: ID!) { updateAppleMdm(input: {id: $id, enrollmentLimit: null}) { appleMdm { id } } }`, map[string]any{"id": m.a.id}, nil)
		require.NotNil(t, m.identify(t, m.a.organization, waiting), "what was refused was not used up")

		var written struct {
			CreateEnrollmentProfile struct{ Mobileconfig []byte }
		}
		const write = `mutation($id: ID!) { createEnrollmentProfile(input: {id: $id}) { enrollment { id } mobileconfig } }`
		m.must(t, m.a.key, "", write, map[string]any{"id": id}, &written)
		byHand, same := m.read(t, written.CreateEnrollmentProfile.Mobileconfig)
		require.Equal(t, payload, same)
		require.NotNil(t, m.identify(t, m.a.organization, byHand))
		require.Equal(t, "NOT_FOUND", code(m.do(t, m.b.key, "", write, map[string]any{"id": id}, nil)))

		last, _ := m.download(t, path)
		m.must(t, m.a.key, "", `mutation($id: ID!) { revokeEnrollment(input: {id: $id}) { enrollment { revokedAt } } }`, map[string]any{"id": id}, nil)
		status, _ = m.get(t, path)
		require.Equal(t, http.StatusGone, status)
		require.Nil(t, m.identify(t, m.a.organization, last))
		require.Equal(t, "PRECONDITION_FAILED", code(m.do(t, m.a.key, "", write, map[string]any{"id": id}, nil)))

		_, short := m.enrollment(t, m.a, map[string]any{"expiresAt": m.now().Add(10 * time.Minute).Format(time.RFC3339)})
		kept, _ := m.download(t, short)
		m.ahead.Add(int64(11 * time.Minute))
		status, _ = m.get(t, short)
		require.Equal(t, http.StatusGone, status)
		require.Nil(t, m.identify(t, m.a.organization, kept), "the challenge still lives, the enrolment does not")
	})
}

func TestQuotaHoldsUnderARace(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		m.ready(t, m.a)
		id, path := m.enrollment(t, m.a, map[string]any{"quota": 3})
		const devices = 10
		messages, holders := make([][]byte, devices), make([]holder, devices)
		for i := range devices {
			challenge, _ := m.download(t, path)
			holders[i] = stranger(t)
			messages[i] = m.ask(t, m.a.organization, protocol.PKCSReq, holders[i], holders[i].key, challenge)
		}
		var issued atomic.Int64
		var group sync.WaitGroup
		for i := range devices {
			for range 2 { // each twice, as a client does that does not hear
				group.Go(func() {
					if m.send(t, m.a.organization, messages[i], holders[i]) != nil {
						issued.Add(1)
					}
				})
			}
		}
		group.Wait()
		require.EqualValues(t, 3, issued.Load())
		n, err := m.Client.DeviceIdentity.Query().Count(m.scope(t, m.a))
		require.NoError(t, err)
		require.Equal(t, 3, n)
		e, err := m.Client.Enrollment.Get(m.scope(t, m.a), id)
		require.NoError(t, err)
		require.Equal(t, 3, e.Used)
	})
}
