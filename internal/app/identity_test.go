package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	protocol "github.com/smallstep/scep"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

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

		document, err := m.AppleMDM.RenewalProfile(ctx, site, d.ID, m.now())
		require.NoError(t, err)
		renewal, same := m.read(t, document)
		require.Equal(t, payload, same, "nothing but the challenge differs")
		require.Nil(t, m.identify(t, m.b.organization, renewal))
		second := m.identify(t, m.a.organization, renewal)
		require.NotNil(t, second)
		_, err = m.AppleMDM.RenewalProfile(m.scope(t, m.b), site, d.ID, m.now())
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

		waiting, err := m.AppleMDM.RenewalProfile(ctx, site, d.ID, m.now())
		require.NoError(t, err)
		const block, unblock = `mutation($id: ID!) { blockDevice(input: {deviceId: $id}) { device { id } } }`, `mutation($id: ID!) { unblockDevice(input: {deviceId: $id}) { device { id } } }`
		vars := map[string]any{"id": d.ID}
		require.Equal(t, "NOT_FOUND", code(m.do(t, m.b.key, "", block, vars, nil)))
		m.must(t, m.a.key, "", block, vars, nil)
		withdrawn, _ := m.read(t, waiting)
		require.Nil(t, m.identify(t, m.a.organization, withdrawn))
		require.Nil(t, m.send(t, m.a.organization, m.ask(t, m.a.organization, protocol.RenewalReq, used, next, ""), used))
		_, err = m.AppleMDM.RenewalProfile(ctx, site, d.ID, m.now())
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err))
		m.must(t, m.a.key, "", unblock, vars, nil)
		require.Nil(t, m.send(t, m.a.organization, m.ask(t, m.a.organization, protocol.RenewalReq, used, next, ""), used), "revoked for good")
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
		status, body := discover("ann@acme.example")
		require.Equal(t, http.StatusForbidden, status, "the organization does not allow it")
		require.JSONEq(t, `{"code": "com.apple.well-known.failed", "message": "This account cannot be used to enrol a device. Check the address, or ask your organization."}`, body)
		allow(m.a)
		status, body = discover("Ann@acme.example")
		require.Equal(t, http.StatusOK, status)
		base := "/mdm/" + m.a.organization + "/user-enroll"
		require.Contains(t, body, mdmURL+base)
		require.Contains(t, body, "mdm-byod")
		status, _ = discover("both@x.example")
		require.Equal(t, http.StatusOK, status, "the other organization does not take part")
		allow(m.b)
		for _, address := range []string{"both@x.example", "nobody@acme.example", "", strings.Repeat("x", 300)} {
			status, _ = discover(address)
			require.Equal(t, http.StatusForbidden, status, address)
		}

		_, link := m.enrollment(t, m.a, map[string]any{"kind": "USER", "quota": 1})
		code := link[strings.LastIndex(link, "/")+1:]
		_, theirs := m.enrollment(t, m.b, map[string]any{"kind": "USER"})
		foreign := theirs[strings.LastIndex(theirs, "/")+1:]
		_, ota := m.enrollment(t, m.a, nil)
		status, _ = m.get(t, link)
		require.Equal(t, http.StatusNotFound, status, "its code is for accounts alone")

		query := "?user-identifier=ann%40acme.example"
		post := func(token string) (reply, []byte) {
			header := http.Header{}
			if token != "" {
				header.Set("Authorization", "Bearer "+token)
			}
			return m.call(t, http.MethodPost, base+query, header, []byte("machine info"))
		}
		for _, token := range []string{"", "guessed", foreign, ota[strings.LastIndex(ota, "/")+1:]} {
			r, _ := post(token)
			require.Equal(t, http.StatusUnauthorized, r.StatusCode, token)
			require.Equal(t, `Bearer method="apple-as-web", url="`+mdmURL+base+`/sign-in"`, r.Header.Get("WWW-Authenticate"))
		}
		status, page := m.get(t, base+"/sign-in"+query)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, string(page), "ann@acme.example")
		form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		r, page := m.call(t, http.MethodPost, base+"/sign-in"+query, form, []byte("code="+foreign))
		require.Equal(t, http.StatusOK, r.StatusCode, "it is asked for again")
		require.Contains(t, string(page), "not valid")
		r, _ = m.call(t, http.MethodPost, base+"/sign-in?user-identifier=nobody%40acme.example", form, []byte("code="+code))
		require.Equal(t, http.StatusNotFound, r.StatusCode)
		r, _ = m.call(t, http.MethodPost, base+"/sign-in"+query, form, []byte("code="+code))
		require.Equal(t, http.StatusPermanentRedirect, r.StatusCode)
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
		document, err = m.AppleMDM.RenewalProfile(ctx, site, d.ID, m.now())
		require.NoError(t, err)
		_, again := m.read(t, document)
		require.Equal(t, payload, again, "it stays the person's")
		r, _ = post(code)
		require.Equal(t, http.StatusUnauthorized, r.StatusCode, "the quota is used up")
		limited := 0
		for range 60 {
			if status, _ = discover("ann@acme.example"); status == http.StatusTooManyRequests {
				limited++
			}
		}
		require.NotZero(t, limited, "nobody asks for all addresses there could be")
		r, _ = m.call(t, http.MethodPost, base+query, nil, make([]byte, 65<<10))
		require.Equal(t, http.StatusRequestEntityTooLarge, r.StatusCode)
	})
}
