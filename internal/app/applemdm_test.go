package app_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	protocol "github.com/smallstep/scep"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func TestDeviceManagementIsSetUpAndDeleted(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		require.Equal(t, "CONFLICT", code(m.do(t, m.a.key, m.a.organization, `mutation { createAppleMdm(input: {name: "again"}) { appleMdm { id } } }`, nil, nil)))
		require.Equal(t, "NOT_FOUND", code(m.do(t, m.a.key, m.b.organization, `mutation { createAppleMdm(input: {name: "x"}) { appleMdm { id } } }`, nil, nil)))
		two := m.organization(t, m.a.key, "Two")
		require.Equal(t, "INVALID_ARGUMENT", code(m.do(t, m.a.key, "", `mutation { createAppleMdm(input: {name: "x"}) { appleMdm { id } } }`, nil, nil)), "two organizations are in reach")
		require.Equal(t, "PRECONDITION_FAILED", code(m.do(t, m.a.key, two, `mutation { createEnrollment(input: {name: "x"}) { link } }`, nil, nil)))

		var list struct {
			AppleMdms struct {
				TotalCount int
				Edges      []struct {
					Node struct {
						ID              string
						PushStatus      string
						EnrolledDevices int
						EnrollmentURL   string
						Organization    struct{ Name string }
					}
				}
			}
		}
		m.enrolled(t, m.a, "C01", "f")
		m.enrolled(t, m.b, "C02", "f")
		m.must(t, m.a.key, "", `{ appleMdms { totalCount edges { node { id pushStatus enrolledDevices enrollmentUrl organization { name } certificateDaysLeft } } } }`, nil, &list)
		require.Equal(t, 1, list.AppleMdms.TotalCount)
		node := list.AppleMdms.Edges[0].Node
		require.Equal(t, "MISSING", node.PushStatus)
		require.Equal(t, 1, node.EnrolledDevices)
		require.Equal(t, mdmURL+"/mdm/"+m.a.organization+"/enroll", node.EnrollmentURL)

		const update = `mutation($in: UpdateAppleMdmInput!) { updateAppleMdm(input: $in) { appleMdm { inventoryIntervalHours enrollmentLimit } } }`
		failures := m.do(t, m.a.key, "", update, map[string]any{"in": map[string]any{"id": m.a.id, "inventoryIntervalHours": 3}}, nil)
		require.Equal(t, "INVALID_ARGUMENT", code(failures))
		require.Equal(t, "input.inventoryIntervalHours", failures[0].Extensions["field"])
		m.must(t, m.a.key, "", update, map[string]any{"in": map[string]any{"id": m.a.id, "inventoryIntervalHours": 168, "enrollmentLimit": 5}}, nil)

		const remove = `mutation($in: DeleteAppleMdmInput!) { deleteAppleMdm(input: $in) { deletedId } }`
		in := func(id, confirm string) map[string]any {
			return map[string]any{"in": map[string]any{"id": id, "confirm": confirm}}
		}
		for what, query := range map[string]struct {
			text      string
			variables map[string]any
		}{
			"read":   {csrQuery, map[string]any{"id": m.b.id}},
			"update": {update, map[string]any{"in": map[string]any{"id": m.b.id, "name": "x"}}},
			"delete": {remove, in(m.b.id, "Bolt")},
			"upload": {uploadMutation, map[string]any{"in": map[string]any{"appleMdmId": m.b.id, "certificate": "-----BEGIN "}}},
		} {
			require.Equal(t, "NOT_FOUND", code(m.do(t, m.a.key, "", query.text, query.variables, nil)), what)
		}
		m.ready(t, m.a)
		_, path := m.enrollment(t, m.a, nil)
		challenge, _ := m.download(t, path)
		require.NotNil(t, m.identify(t, m.a.organization, challenge))
		require.Equal(t, "INVALID_ARGUMENT", code(m.do(t, m.a.key, "", remove, in(m.a.id, "acme"), nil)))
		scoped := m.scope(t, m.a)
		m.must(t, m.a.key, "", remove, in(m.a.id, "Acme"), nil)
		for what, count := range map[string]func() (int, error){
			"identities":  func() (int, error) { return m.Client.DeviceIdentity.Query().Count(scoped) },
			"enrolments":  func() (int, error) { return m.Client.Enrollment.Query().Count(scoped) },
			"challenges":  func() (int, error) { return m.Client.ScepChallenge.Query().Count(scoped) },
			"managements": func() (int, error) { return m.Client.AppleMdm.Query().Count(scoped) },
		} {
			n, err := count()
			require.NoError(t, err, what)
			require.Zero(t, n, what)
		}
		d, err := m.Client.Device.Query().Only(scoped)
		require.NoError(t, err)
		require.False(t, d.Enrolled)
		status, _ := m.get(t, path)
		require.Equal(t, http.StatusNotFound, status)
		status, _ = m.get(t, "/mdm/"+m.b.organization+"/scep?operation=GetCACert")
		require.Equal(t, http.StatusOK, status, "the other's is as it was")
	})
}

func TestPushCertificateIsUploadedAndRenewed(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		const topic, other = "com.apple.mgmt.External.one", "com.apple.mgmt.External.other"
		year := m.now().Add(365*24*time.Hour + time.Hour)
		mine, signed := m.csr(t, m.a)
		require.False(t, signed)
		theirs, _ := m.csr(t, m.b)
		require.NotEqual(t, mine, theirs)

		require.Equal(t, "INVALID_ARGUMENT", code(m.upload(t, m.a, apple(t, theirs, topic, year), nil, nil)), "made for another tenant's key")
		require.Equal(t, "INVALID_ARGUMENT", code(m.upload(t, m.a, apple(t, mine, "com.example", year), nil, nil)))
		require.Equal(t, "INVALID_ARGUMENT", code(m.upload(t, m.a, "no file", nil, nil)))
		var got uploaded
		require.Empty(t, m.upload(t, m.a, apple(t, mine, topic, year), map[string]any{"creatorAppleId": "mdm@acme.example"}, &got))
		first := got.UploadPushCertificate.AppleMdm
		require.Equal(t, topic, first.Topic)
		require.Equal(t, "ACTIVE", first.PushStatus)
		require.Equal(t, 365, first.CertificateDaysLeft)
		require.Equal(t, "mdm@acme.example", first.CreatorAppleID)

		next, _ := m.csr(t, m.a)
		require.NotEqual(t, mine, next, "the request was answered; the next one is ready")
		m.enrolled(t, m.a, "C01", "f")
		m.enrolled(t, m.a, "C02", "f")
		failures := m.upload(t, m.a, apple(t, next, other, year.Add(time.Hour)), nil, nil)
		require.Equal(t, "PRECONDITION_FAILED", code(failures))
		for _, part := range []string{topic, other, "2 enrolled devices", "mdm@acme.example", first.CertificateSerialNumber, "enrolled again"} {
			require.Contains(t, failures[0].Message, part)
		}
		require.Equal(t, "PRECONDITION_FAILED", code(m.upload(t, m.a, apple(t, next, topic, year.Add(-time.Hour)), nil, nil)), "older")
		require.Empty(t, m.upload(t, m.a, apple(t, mine, topic, year.Add(time.Hour)), nil, &got), "renewed with the request of the year before")
		require.Equal(t, "mdm@acme.example", got.UploadPushCertificate.AppleMdm.CreatorAppleID)
		require.NotEqual(t, first.CertificateSerialNumber, got.UploadPushCertificate.AppleMdm.CertificateSerialNumber)
		require.Empty(t, m.upload(t, m.a, apple(t, next, topic, year.Add(2*time.Hour)), nil, &got))
		again, _ := m.csr(t, m.a)
		require.Empty(t, m.upload(t, m.a, apple(t, again, other, year), map[string]any{"force": true}, &got))
		require.Equal(t, other, got.UploadPushCertificate.AppleMdm.Topic)
		site, err := m.AppleMDM.Site(t.Context(), m.a.organization)
		require.NoError(t, err)
		require.Equal(t, other, site.Topic, "what is kept in memory follows")
	})
}

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
		require.NoError(t, m.AppleMDM.CheckSeat(m.scope(t, m.a), site, taken.ID), "who has a seat keeps it")
		m.must(t, m.a.key, "", `mutation($id: ID!) { updateAppleMdm(input: {id: $id, enrollmentLimit: null}) { appleMdm { id } } }`, map[string]any{"id": m.a.id}, nil)
		require.NotNil(t, m.identify(t, m.a.organization, waiting), "what was refused was not used up")

		last, _ := m.download(t, path)
		m.must(t, m.a.key, "", `mutation($id: ID!) { revokeEnrollment(input: {id: $id}) { enrollment { revokedAt } } }`, map[string]any{"id": id}, nil)
		status, _ = m.get(t, path)
		require.Equal(t, http.StatusGone, status)
		require.Nil(t, m.identify(t, m.a.organization, last))

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

func TestIdentitiesAreRenewedAndRevoked(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		m.ready(t, m.a)
		m.ready(t, m.b)
		_, path := m.enrollment(t, m.a, nil)
		challenge, payload := m.download(t, path)
		first := m.identify(t, m.a.organization, challenge)
		require.NotNil(t, first)
		fingerprint := applemdm.Fingerprint(first.certificate)
		d := m.enrolled(t, m.a, "C01", fingerprint)
		ctx := m.scope(t, m.a)
		require.NoError(t, m.Client.DeviceIdentity.Update().SetDeviceID(d.ID).Exec(ctx))
		site, err := m.AppleMDM.Site(t.Context(), m.a.organization)
		require.NoError(t, err)

		due, err := m.AppleMDM.RenewalsDue(t.Context(), 10)
		require.NoError(t, err)
		require.Empty(t, due)
		m.ahead.Add(int64(340 * 24 * time.Hour))
		due, err = m.AppleMDM.RenewalsDue(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, due, 1)
		require.Equal(t, d.ID, due[0].Device)
		require.Equal(t, m.a.organization, due[0].Organization)

		document, err := m.AppleMDM.RenewalProfile(ctx, site, d.ID)
		require.NoError(t, err)
		renewal, same := m.read(t, document)
		require.Equal(t, payload, same, "nothing but the challenge differs")
		require.Nil(t, m.identify(t, m.b.organization, renewal))
		second := m.identify(t, m.a.organization, renewal)
		require.NotNil(t, second)
		_, err = m.AppleMDM.RenewalProfile(m.scope(t, m.b), site, d.ID)
		require.Equal(t, fault.NotFound, fault.CodeOf(err))

		// RenewalReq, by the identity in use.
		next, err := pki.NewKey()
		require.NoError(t, err)
		message := m.ask(t, m.a.organization, protocol.RenewalReq, *first, next, "")
		third := m.send(t, m.a.organization, message, *first)
		require.NotNil(t, third)
		require.Nil(t, m.send(t, m.a.organization, message, *first), "a replay")
		require.Nil(t, m.send(t, m.a.organization, m.ask(t, m.a.organization, protocol.RenewalReq, *second, next, ""), *second), "not the identity in use")
		require.NoError(t, m.Client.DeviceChannel.Update().SetFingerprint(applemdm.Fingerprint(third)).Exec(ctx))
		require.Nil(t, m.send(t, m.a.organization, m.ask(t, m.a.organization, protocol.RenewalReq, *first, next, ""), *first), "superseded")
		used := holder{next, third}
		due, err = m.AppleMDM.RenewalsDue(t.Context(), 10)
		require.NoError(t, err)
		require.Empty(t, due)

		waiting, err := m.AppleMDM.RenewalProfile(ctx, site, d.ID)
		require.NoError(t, err)
		_, err = m.AppleMDM.Block(m.scope(t, m.b), d.ID)
		require.Equal(t, fault.NotFound, fault.CodeOf(err))
		_, err = m.AppleMDM.Block(ctx, d.ID)
		require.NoError(t, err)
		withdrawn, _ := m.read(t, waiting)
		require.Nil(t, m.identify(t, m.a.organization, withdrawn))
		require.Nil(t, m.send(t, m.a.organization, m.ask(t, m.a.organization, protocol.RenewalReq, used, next, ""), used))
		_, err = m.AppleMDM.RenewalProfile(ctx, site, d.ID)
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err))
		_, err = m.AppleMDM.Unblock(ctx, d.ID)
		require.NoError(t, err)
		require.Nil(t, m.send(t, m.a.organization, m.ask(t, m.a.organization, protocol.RenewalReq, used, next, ""), used), "revoked for good")
	})
}

func TestExpiryIsWarnedOfOnceAtEachThreshold(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		content, _ := m.csr(t, m.a)
		ends := m.now().Add(40 * 24 * time.Hour)
		require.Empty(t, m.upload(t, m.a, apple(t, content, "com.apple.mgmt.x", ends), nil, nil))
		type alert struct {
			Type, Status    string
			OccurrenceCount int
		}
		alerts := func(key string) (all []alert) {
			var got struct {
				Alerts struct{ Edges []struct{ Node alert } }
			}
			m.must(t, key, "", `{ alerts { edges { node { type status occurrenceCount } } } }`, nil, &got)
			for _, e := range got.Alerts.Edges {
				all = append(all, e.Node)
			}
			return all
		}
		warn := func(left time.Duration) []alert {
			m.ahead.Store(int64(time.Until(ends.Add(-left))))
			for range 2 {
				require.NoError(t, m.AppleMDM.WarnOfExpiry(t.Context()))
			}
			return alerts(m.a.key)
		}
		const day = 24 * time.Hour
		require.Empty(t, warn(31*day))
		expiring := func(n int) []alert { return []alert{{"PUSH_CERTIFICATE_EXPIRING", "OPEN", n}} }
		require.Equal(t, expiring(1), warn(30*day))
		require.Equal(t, expiring(1), warn(20*day))
		require.Equal(t, expiring(2), warn(14*day))
		require.Equal(t, expiring(3), warn(6*day))
		require.Equal(t, expiring(4), warn(20*time.Hour))
		require.ElementsMatch(t, []alert{
			{"PUSH_CERTIFICATE_EXPIRING", "AUTO_RESOLVED", 4}, {"PUSH_CERTIFICATE_EXPIRED", "OPEN", 1},
		}, warn(-time.Hour))
		var state struct {
			AppleMdm struct {
				PushStatus          string
				CertificateDaysLeft int
			}
		}
		m.must(t, m.a.key, "", `query($id: ID!) { appleMdm(id: $id) { pushStatus certificateDaysLeft } }`, map[string]any{"id": m.a.id}, &state)
		require.Equal(t, "EXPIRED", state.AppleMdm.PushStatus)
		require.Equal(t, -1, state.AppleMdm.CertificateDaysLeft)
		next, _ := m.csr(t, m.a)
		require.Empty(t, m.upload(t, m.a, apple(t, next, "com.apple.mgmt.x", ends.Add(365*day)), nil, nil))
		for _, a := range alerts(m.a.key) {
			require.Equal(t, "AUTO_RESOLVED", a.Status)
		}
		require.Empty(t, alerts(m.b.key))
	})
}

func TestPeopleEnrolTheirOwnDevices(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		m.ready(t, m.a)
		m.ready(t, m.b)
		user := func(tenant mdmTenant, login, email string) {
			m.must(t, tenant.key, tenant.organization, `mutation($in: CreateUserInput!) { createUser(input: $in) { user { id } } }`,
				map[string]any{"in": map[string]any{"login": login, "email": email}}, nil)
		}
		user(m.a, "ann", "ann@acme.example")
		user(m.a, "both", "both@x.example")
		user(m.b, "both", "both@x.example")
		allow := func(tenant mdmTenant) {
			m.must(t, tenant.key, "", `mutation($id: ID!) { updateAppleMdm(input: {id: $id, allowMobileUserEnrollment: true}) { appleMdm { id } } }`, map[string]any{"id": tenant.id}, nil)
		}
		discover := func(address string) (int, string) {
			status, body := m.get(t, "/.well-known/com.apple.remotemanagement?model-family=iPhone&user-identifier="+url.QueryEscape(address))
			return status, string(body)
		}
		status, _ := discover("ann@acme.example")
		require.Equal(t, http.StatusNotFound, status, "the organization does not allow it")
		allow(m.a)
		status, body := discover("Ann@acme.example")
		require.Equal(t, http.StatusOK, status)
		base := "/mdm/" + m.a.organization + "/user-enroll"
		require.Contains(t, body, mdmURL+base)
		require.Contains(t, body, "mdm-byod")
		status, _ = discover("both@x.example")
		require.Equal(t, http.StatusOK, status, "the other organization does not take part")
		allow(m.b)
		for _, address := range []string{"both@x.example", "nobody@acme.example", "", strings.Repeat("x", 300)} {
			status, _ = discover(address)
			require.Equal(t, http.StatusNotFound, status, address)
		}

		_, link := m.enrollment(t, m.a, map[string]any{"kind": "USER", "quota": 1})
		code := link[strings.LastIndex(link, "/")+1:]
		_, theirs := m.enrollment(t, m.b, map[string]any{"kind": "USER"})
		foreign := theirs[strings.LastIndex(theirs, "/")+1:]
		_, ota := m.enrollment(t, m.a, nil)
		status, _ = m.get(t, link)
		require.Equal(t, http.StatusNotFound, status, "its code is for accounts alone")

		query := "?user-identifier=ann%40acme.example"
		post := func(token string) (*http.Response, []byte) {
			header := http.Header{}
			if token != "" {
				header.Set("Authorization", "Bearer "+token)
			}
			return m.call(t, http.MethodPost, base+query, header, []byte("machine info"))
		}
		for _, token := range []string{"", "guessed", foreign, ota[strings.LastIndex(ota, "/")+1:]} {
			r, _ := post(token)
			require.Equal(t, http.StatusUnauthorized, r.StatusCode, token)
			require.Equal(t, `Bearer method="apple-as-web", url="`+mdmURL+base+"/sign-in"+query+`"`, r.Header.Get("WWW-Authenticate"))
		}
		status, page := m.get(t, base+"/sign-in"+query)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, string(page), "ann@acme.example")
		form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		r, _ := m.call(t, http.MethodPost, base+"/sign-in"+query, form, []byte("code="+foreign))
		require.Equal(t, http.StatusNotFound, r.StatusCode)
		r, _ = m.call(t, http.MethodPost, base+"/sign-in?user-identifier=nobody%40acme.example", form, []byte("code="+code))
		require.Equal(t, http.StatusNotFound, r.StatusCode)
		r, _ = m.call(t, http.MethodPost, base+"/sign-in"+query, form, []byte("code="+code))
		require.Equal(t, http.StatusFound, r.StatusCode)
		require.Equal(t, "apple-remotemanagement-user-login://authentication-results?access-token="+code, r.Header.Get("Location"))

		r, document := post(code)
		require.Equal(t, http.StatusOK, r.StatusCode)
		challenge, payload := m.read(t, document)
		require.Equal(t, "ann@acme.example", payload["AssignedManagedAppleID"])
		require.Equal(t, "BYOD", payload["EnrollmentMode"])
		identity := m.identify(t, m.a.organization, challenge)
		require.NotNil(t, identity)
		d := m.enrolled(t, m.a, "C01", applemdm.Fingerprint(identity.certificate))
		ctx := m.scope(t, m.a)
		require.NoError(t, d.Update().SetUserEnrollment(true).Exec(ctx))
		site, err := m.AppleMDM.Site(t.Context(), m.a.organization)
		require.NoError(t, err)
		document, err = m.AppleMDM.RenewalProfile(ctx, site, d.ID)
		require.NoError(t, err)
		_, again := m.read(t, document)
		require.Equal(t, payload, again, "it stays the person's")
		r, _ = post(code)
		require.Equal(t, http.StatusUnauthorized, r.StatusCode, "the quota is used up")
		r, _ = m.call(t, http.MethodPost, base+query, nil, make([]byte, 65<<10))
		require.Equal(t, http.StatusRequestEntityTooLarge, r.StatusCode)
	})
}
