package message_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
)

const (
	udid   = "00008020-000915083C80012E" // of an iPhone: not a UUID
	topic  = "com.apple.mgmt.External.b4d2a5d6-5d6f-4b93-8d2f-0b6d4d9d5c11"
	userID = "7F9C2C3B-9D59-4F55-A4B3-3B0C2E8E2D10"
)

type keys map[string]any

func (k keys) with(key string, value any) keys {
	changed := maps.Clone(k)
	if value == nil {
		delete(changed, key)
	} else {
		changed[key] = value
	}
	return changed
}

func (k keys) body(t testing.TB) []byte {
	t.Helper()
	body, err := plist.Encode(map[string]any(k))
	require.NoError(t, err)
	return body
}

func authenticate() keys {
	return keys{
		"MessageType": "Authenticate", "UDID": udid, "Topic": topic, "DeviceName": "Ada's iPhone", "Model": "MT7M3LL",
		"ModelName": "iPhone", "ProductName": "iPhone11,8", "OSVersion": "26.1", "BuildVersion": "23B85",
		"SerialNumber": "C7CX706CKWTK", "IMEI": "35 735005 003432 4", "UnknownKey": []string{"ignored"},
	}
}

func tokenUpdate() keys {
	return keys{
		"MessageType": "TokenUpdate", "UDID": udid, "Topic": topic, "PushMagic": "7E4D7C5E-1B1A-4A0F-9C5C-0D8C1F4E5A11",
		"Token": []byte(strings.Repeat("t", 32)), "UnlockToken": []byte("unlock"), "AwaitingConfiguration": false,
	}
}

func TestCheckin(t *testing.T) {
	device := message.Enrollment{UDID: udid}
	waits := false
	var getToken message.GetToken
	getToken.Enrollment = device
	getToken.TokenServiceType = "com.apple.watch.pairing"
	getToken.TokenParameters.SecurityToken = "s"
	getToken.TokenParameters.PhoneUDID = udid
	for name, c := range map[string]struct {
		in   keys
		want message.Checkin
	}{
		"Authenticate": {authenticate(), &message.Authenticate{
			Enrollment: device, Topic: topic, DeviceName: "Ada's iPhone", Model: "MT7M3LL", ModelName: "iPhone", ProductName: "iPhone11,8",
			OSVersion: "26.1", BuildVersion: "23B85", SerialNumber: "C7CX706CKWTK", IMEI: "35 735005 003432 4",
		}},
		"Authenticate of a user enrollment": {
			keys{"MessageType": "Authenticate", "EnrollmentID": "A1B2", "Topic": topic, "DeviceName": strings.Repeat("ä", 300)},
			&message.Authenticate{Enrollment: message.Enrollment{EnrollmentID: "A1B2"}, Topic: topic, DeviceName: strings.Repeat("ä", 255)},
		},
		"TokenUpdate": {tokenUpdate(), &message.TokenUpdate{
			Enrollment: device, Topic: topic, PushMagic: "7E4D7C5E-1B1A-4A0F-9C5C-0D8C1F4E5A11", Token: []byte(strings.Repeat("t", 32)),
			UnlockToken: []byte("unlock"), AwaitingConfiguration: &waits,
		}},
		"TokenUpdate that renews the push token alone": {tokenUpdate().with("UnlockToken", nil).with("AwaitingConfiguration", nil), &message.TokenUpdate{
			Enrollment: device, Topic: topic, PushMagic: "7E4D7C5E-1B1A-4A0F-9C5C-0D8C1F4E5A11", Token: []byte(strings.Repeat("t", 32)),
		}},
		"TokenUpdate of a user": {tokenUpdate().with("UserID", userID).with("UserShortName", "ada").with("NotOnConsole", true).with("UnlockToken", nil), &message.TokenUpdate{
			Enrollment: message.Enrollment{UDID: udid, UserID: userID, UserShortName: "ada"}, Topic: topic, NotOnConsole: true,
			PushMagic: "7E4D7C5E-1B1A-4A0F-9C5C-0D8C1F4E5A11", Token: []byte(strings.Repeat("t", 32)), AwaitingConfiguration: &waits,
		}},
		"CheckOut": {keys{"MessageType": "CheckOut", "UDID": udid, "Topic": topic}, &message.CheckOut{Enrollment: device, Topic: topic}},
		"UserAuthenticate": {keys{"MessageType": "UserAuthenticate", "UDID": udid, "UserID": userID, "DigestResponse": "d"}, &message.UserAuthenticate{
			Enrollment: message.Enrollment{UDID: udid, UserID: userID}, DigestResponse: "d",
		}},
		"SetBootstrapToken": {keys{"MessageType": "SetBootstrapToken", "UDID": udid, "BootstrapToken": []byte("b")}, &message.SetBootstrapToken{
			Enrollment: device, BootstrapToken: []byte("b"),
		}},
		"SetBootstrapToken to nothing": {keys{"MessageType": "SetBootstrapToken", "UDID": udid}, &message.SetBootstrapToken{Enrollment: device}},
		"GetBootstrapToken":            {keys{"MessageType": "GetBootstrapToken", "UDID": udid}, &message.GetBootstrapToken{Enrollment: device}},
		"GetToken": {keys{
			"MessageType": "GetToken", "UDID": udid, "TokenServiceType": "com.apple.watch.pairing",
			"TokenParameters": map[string]any{"SecurityToken": "s", "PhoneUDID": udid},
		}, &getToken},
		"DeclarativeManagement": {keys{"MessageType": "DeclarativeManagement", "UDID": udid, "Endpoint": "status", "Data": []byte("{}")}, &message.DeclarativeManagement{
			Enrollment: device, Endpoint: "status", Data: []byte("{}"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := message.DecodeCheckin(c.in.body(t))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestCheckinRefused(t *testing.T) {
	long := strings.Repeat("x", 20<<10)
	for name, c := range map[string]struct {
		in  keys
		key string
	}{
		"no one":                     {authenticate().with("UDID", nil), "UDID"},
		"a UDID with a path":         {authenticate().with("UDID", "../etc"), "UDID"},
		"a UDID with a line feed":    {authenticate().with("UDID", udid+"\n"), "UDID"},
		"a long UDID":                {authenticate().with("UDID", strings.Repeat("A", 65)), "UDID"},
		"an EnrollmentID with a dot": {authenticate().with("EnrollmentID", "a.b"), "EnrollmentID"},
		"a user with a space":        {tokenUpdate().with("UserID", "a b"), "UserID"},
		"no topic":                   {authenticate().with("Topic", nil), "Topic"},
		"another's topic":            {authenticate().with("Topic", "com.example.app"), "Topic"},
		"a long topic":               {authenticate().with("Topic", "com.apple.mgmt."+long), "Topic"},
		"a long serial number":       {authenticate().with("SerialNumber", long), "SerialNumber"},
		"a version of two lines":     {authenticate().with("OSVersion", "26\n1"), "OSVersion"},
		"a long IMEI":                {authenticate().with("IMEI", long), "IMEI"},
		"no push token":              {tokenUpdate().with("Token", nil), "Token"},
		"an empty push token":        {tokenUpdate().with("Token", []byte{}), "Token"},
		"a large push token":         {tokenUpdate().with("Token", []byte(long)), "Token"},
		"no push magic":              {tokenUpdate().with("PushMagic", nil), "PushMagic"},
		"a push magic with a quote":  {tokenUpdate().with("PushMagic", "a\tb"), "PushMagic"},
		"a large unlock token":       {tokenUpdate().with("UnlockToken", []byte(long)), "UnlockToken"},
		"a large bootstrap token":    {keys{"MessageType": "SetBootstrapToken", "UDID": udid, "BootstrapToken": []byte(long)}, "BootstrapToken"},
		"a user channel of no one":   {keys{"MessageType": "UserAuthenticate", "UDID": udid}, "UserID"},
		"a check-out of no topic":    {keys{"MessageType": "CheckOut", "UDID": udid}, "Topic"},
		"no service":                 {keys{"MessageType": "GetToken", "UDID": udid}, "TokenServiceType"},
		"no endpoint":                {keys{"MessageType": "DeclarativeManagement", "UDID": udid}, "Endpoint"},
		"a long endpoint":            {keys{"MessageType": "DeclarativeManagement", "UDID": udid, "Endpoint": long}, "Endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := message.DecodeCheckin(c.in.body(t))
			var invalid *message.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, c.key, invalid.Key)
			require.NotContains(t, err.Error(), "xxx")
		})
	}
	_, err := message.DecodeCheckin(authenticate().with("MessageType", "Nonsense").body(t))
	require.ErrorIs(t, err, message.ErrUnknown)
	_, err = message.DecodeCheckin(authenticate().with("MessageType", nil).body(t))
	require.ErrorIs(t, err, message.ErrUnknown)
	_, err = message.DecodeCheckin(authenticate().with("UDID", []string{udid}).body(t))
	require.ErrorIs(t, err, plist.ErrMalformed)
	_, err = message.DecodeCheckin([]byte("bplist00"))
	require.ErrorIs(t, err, plist.ErrBinary)
	list, err := plist.Encode([]string{"Authenticate"})
	require.NoError(t, err)
	_, err = message.DecodeCheckin(list)
	require.ErrorIs(t, err, plist.ErrMalformed)
}

func TestChannels(t *testing.T) {
	for name, c := range map[string]struct {
		in           message.Enrollment
		device, user string
		byod         bool
	}{
		"device":                  {message.Enrollment{UDID: "D"}, "D", "", false},
		"user of a device":        {message.Enrollment{UDID: "D", UserID: "U"}, "D", "U", false},
		"user enrollment":         {message.Enrollment{EnrollmentID: "E"}, "E", "", true},
		"user of that":            {message.Enrollment{EnrollmentID: "E", EnrollmentUserID: "EU"}, "E", "EU", true},
		"user of that, misplaced": {message.Enrollment{EnrollmentID: "E", UserID: "U"}, "E", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.device, c.in.DeviceID())
			require.Equal(t, c.user, c.in.ChannelUserID())
			require.Equal(t, c.byod, c.in.UserEnrollment())
		})
	}
}

func TestReport(t *testing.T) {
	idle := keys{"UDID": udid, "Status": "Idle"}
	r, err := message.DecodeReport(idle.body(t))
	require.NoError(t, err)
	require.Equal(t, &message.Report{Enrollment: message.Enrollment{UDID: udid}, Status: message.Idle}, r)
	again, err := message.DecodeReport(idle.with("CommandUUID", "left over").body(t))
	require.NoError(t, err)
	require.Equal(t, r, again)
	spaced, err := message.DecodeCheckin(authenticate().with("SerialNumber", " Parallels-B8 6B 1F ").body(t))
	require.NoError(t, err)
	require.Equal(t, "Parallels-B8 6B 1F", spaced.(*message.Authenticate).SerialNumber)

	chain := []any{}
	for range 40 {
		chain = append(chain, map[string]any{"ErrorCode": 12021, "ErrorDomain": "MCMDMErrorDomain", "USEnglishDescription": strings.Repeat("x", 900), "More": true})
	}
	r, err = message.DecodeReport(keys{"UDID": udid, "Status": "Error", "CommandUUID": "0001_DeviceInformation", "ErrorChain": chain}.body(t))
	require.NoError(t, err)
	require.Equal(t, message.Failed, r.Status)
	require.Equal(t, "0001_DeviceInformation", r.CommandUUID)
	require.Len(t, r.ErrorChain, 16)
	require.EqualValues(t, 12021, r.ErrorChain[0].ErrorCode)
	require.Len(t, r.ErrorChain[0].USEnglishDescription, 255)

	for _, status := range []message.Status{message.Acknowledged, message.CommandFormatError, message.NotNow} {
		r, err := message.DecodeReport(keys{"EnrollmentID": "E", "EnrollmentUserID": "EU", "Status": string(status), "CommandUUID": userID, "QueryResponses": keys{}}.body(t))
		require.NoError(t, err)
		require.Equal(t, status, r.Status)
		require.Equal(t, "EU", r.Sender().ChannelUserID())
	}

	for name, in := range map[string]keys{
		"no sender":               idle.with("UDID", nil),
		"no status":               idle.with("Status", nil),
		"an unknown status":       idle.with("Status", "Done"),
		"about no command":        idle.with("Status", "Acknowledged"),
		"about a long command":    idle.with("Status", "NotNow").with("CommandUUID", strings.Repeat("x", 65)),
		"about a strange command": idle.with("Status", "NotNow").with("CommandUUID", "a b"),
		"of a long type":          idle.with("RequestType", strings.Repeat("x", 65)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := message.DecodeReport(in.body(t))
			var invalid *message.InvalidError
			require.ErrorAs(t, err, &invalid)
		})
	}
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer func() ([]byte, error)
		want   map[string]any
	}{
		"bootstrap token":    {func() ([]byte, error) { return message.BootstrapToken([]byte("b")) }, map[string]any{"BootstrapToken": []byte("b")}},
		"no bootstrap token": {func() ([]byte, error) { return message.BootstrapToken(nil) }, map[string]any{}},
		"token":              {func() ([]byte, error) { return message.Token([]byte("t")) }, map[string]any{"TokenData": []byte("t")}},
		"challenge":          {func() ([]byte, error) { return message.DigestChallenge("") }, map[string]any{"DigestChallenge": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := c.answer()
			require.NoError(t, err)
			var got map[string]any
			require.NoError(t, plist.Decode(body, &got))
			require.Equal(t, c.want, got)
		})
	}
}

// Whatever arrives is refused with a typed error, or names its sender.
func FuzzDecode(f *testing.F) {
	f.Add(authenticate().body(f))
	f.Add(tokenUpdate().body(f))
	f.Add(keys{"UDID": udid, "Status": "Error", "CommandUUID": "x", "ErrorChain": []any{map[string]any{"ErrorCode": 1}}}.body(f))
	f.Add(keys{"UDID": udid, "UserID": "u", "UserShortName": "s", "Status": "Acknowledged", "CommandUUID": "x", "RequestType": "y"}.body(f))
	f.Add(keys{"MessageType": "GetToken", "UDID": udid, "TokenServiceType": "x", "TokenParameters": map[string]any{"SecurityToken": "s"}}.body(f))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := message.DecodeCheckin(body)
		if err == nil {
			require.NotEmpty(t, m.Sender().DeviceID())
		} else {
			requireTyped(t, err)
		}
		r, err := message.DecodeReport(body)
		if err == nil {
			require.NotEmpty(t, r.DeviceID())
			var decoded message.Report
			require.NoError(t, plist.Decode(body, &decoded))
			require.Equal(t, decoded.DeviceID(), r.DeviceID())
			require.Equal(t, decoded.ChannelUserID(), r.ChannelUserID())
			require.Equal(t, decoded.Status, r.Status)
			require.Equal(t, decoded.RequestType, r.RequestType)
		} else {
			requireTyped(t, err)
		}
	})
}

func requireTyped(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*message.InvalidError](err); ok {
		return
	}
	for _, want := range []error{message.ErrUnknown, plist.ErrBinary, plist.ErrTooLarge, plist.ErrTooDeep, plist.ErrTooMany, plist.ErrMalformed} {
		if errors.Is(err, want) {
			return
		}
	}
	t.Fatalf("untyped: %v", err)
}

func BenchmarkIdle(b *testing.B) {
	body := keys{"UDID": udid, "Status": "Idle"}.body(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := message.DecodeReport(body); err != nil {
			b.Fatal(err)
		}
	}
}
