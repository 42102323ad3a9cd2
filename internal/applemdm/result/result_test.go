package result_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/result"
)

func ptr[T any](v T) *T { return &v }

func answer(t testing.TB, key string, value any) []byte {
	t.Helper()
	body, err := plist.Encode(map[string]any{"Status": "Acknowledged", "CommandUUID": "1", "UDID": "A", key: value})
	require.NoError(t, err)
	return body
}

func TestDeviceInformation(t *testing.T) {
	scanned := time.Date(2026, 11, 1, 2, 3, 4, 0, time.UTC)
	device, err := result.DeviceInformation(answer(t, "QueryResponses", map[string]any{
		"UDID": "00008020-000915083C80012E", "OSVersion": "26.1", "IsSupervised": true, "IsAppleSilicon": false,
		"DeviceCapacity": uint64(512), "BatteryLevel": -1.0, "CellularTechnology": 3.0, "iTunesStoreAccountIsActive": true,
		"DeviceName":           strings.Repeat("ä", 400),
		"ActiveManagedUsers":   []string{"a", "b"},
		"ServiceSubscriptions": []any{map[string]any{"Slot": "CTSubscriptionSlotOne", "IsRoaming": false}},
		"OSUpdateSettings":     map[string]any{"PreviousScanDate": scanned, "CatalogURL": strings.Repeat("u", 1000)},
		"FutureKey":            map[string]any{"a": 1},
	}))
	require.NoError(t, err)
	require.Equal(t, result.Device{
		UDID: "00008020-000915083C80012E", OSVersion: "26.1", IsSupervised: ptr(true), IsAppleSilicon: ptr(false),
		DeviceCapacity: ptr(512.0), BatteryLevel: ptr(-1.0), CellularTechnology: ptr(int64(3)), ITunesStoreAccountIsActive: ptr(true),
		DeviceName: strings.Repeat("ä", 255), ActiveManagedUsers: []string{"a", "b"},
		ServiceSubscriptions: []result.Subscription{{Slot: "CTSubscriptionSlotOne", IsRoaming: ptr(false)}},
		OSUpdateSettings:     &result.UpdateSettings{PreviousScanDate: &scanned, CatalogURL: strings.Repeat("u", 1000)},
	}, device)
}

// What the inventory asks is what it reads.
func TestQueries(t *testing.T) {
	asked, read := map[string]bool{}, map[string]bool{}
	for _, platform := range []command.Platform{command.MacOS, command.IOS, command.IPadOS, command.TVOS, command.VisionOS, command.WatchOS} {
		for _, query := range command.Queries(command.Target{Platform: platform, OSVersion: "26.1", Supervised: true}) {
			asked[query] = true
		}
	}
	for field := range reflect.TypeFor[result.Device]().Fields() {
		name := field.Tag.Get("key")
		if name == "" {
			name = field.Name
		}
		read[name] = true
	}
	require.Equal(t, read, asked)
}

// A value of another type than documented is as if it were missing.
func TestTolerant(t *testing.T) {
	odd := []any{"x", true, uint64(math.MaxUint64), 1.5, []byte{1}, []any{"x"}, map[string]any{"a": "b"}, time.Unix(0, 0)}
	for i, value := range odd {
		device := map[string]any{}
		for _, key := range []string{
			"UDID", "IsSupervised", "DeviceCapacity", "CellularTechnology", "LastCloudBackupDate", "ServiceSubscriptions",
			"OSUpdateSettings", "ActiveManagedUsers", "AutoSetupAdminAccounts",
		} {
			device[key] = value
		}
		t.Run(fmt.Sprintf("%d %T", i, value), func(t *testing.T) {
			got, err := result.DeviceInformation(answer(t, "QueryResponses", device))
			require.NoError(t, err)
			if _, ok := value.(bool); !ok {
				require.Nil(t, got.IsSupervised)
			}
			if _, ok := value.(string); !ok {
				require.Empty(t, got.UDID)
			}
			require.Nil(t, got.CellularTechnology)
			for _, read := range answers() {
				_, _ = read(answer(t, "InstalledApplicationList", value))
			}
			applications, err := result.InstalledApplicationList(answer(t, "InstalledApplicationList", []any{value, map[string]any{"Name": "Mail"}}))
			require.NoError(t, err)
			require.Equal(t, "Mail", applications[1].Name)
			_, err = result.DeviceInformation(answer(t, "QueryResponses", value))
			require.NoError(t, err)
		})
	}
}

func TestSecurityInfo(t *testing.T) {
	security, err := result.SecurityInfo(answer(t, "SecurityInfo", map[string]any{
		"FDE_Enabled": true, "FDE_PersonalRecoveryKeyCMS": []byte("cms"), "FDE_PersonalRecoveryKeyDeviceKey": "C02",
		"ManagementStatus": map[string]any{"UserApprovedEnrollment": true}, "PasscodeLockGracePeriod": -1,
		"FirmwarePasswordStatus": map[string]any{"PasswordExists": false}, "BootstrapTokenAllowedForAuthentication": "allowed",
	}))
	require.NoError(t, err)
	require.Equal(t, result.Security{
		FDEEnabled: ptr(true), FDEPersonalRecoveryKeyCMS: []byte("cms"), FDEPersonalRecoveryKeyDeviceKey: "C02",
		ManagementStatus: &result.Management{UserApprovedEnrollment: ptr(true)}, PasscodeLockGracePeriod: ptr(int64(-1)),
		FirmwarePasswordStatus: &result.FirmwarePassword{PasswordExists: ptr(false)}, BootstrapTokenAllowedForAuthentication: "allowed",
	}, security)

	security, err = result.SecurityInfo(answer(t, "SecurityInfo", map[string]any{"FDE_PersonalRecoveryKeyCMS": make([]byte, 65<<10)}))
	require.NoError(t, err)
	require.Nil(t, security.FDEPersonalRecoveryKeyCMS)
}

func TestLists(t *testing.T) {
	certificates, err := result.CertificateList(answer(t, "CertificateList", []any{map[string]any{"CommonName": "CA", "IsIdentity": false, "Data": []byte("not a certificate")}}))
	require.NoError(t, err)
	require.Equal(t, []result.Certificate{{CommonName: "CA", IsIdentity: ptr(false), Data: []byte("not a certificate")}}, certificates)

	updates, err := result.ScheduleOSUpdate(answer(t, "UpdateResults", []any{map[string]any{
		"ProductKey": "a", "InstallAction": "Error", "ErrorChain": []any{map[string]any{"ErrorCode": 9, "ErrorDomain": "d"}},
	}}))
	require.NoError(t, err)
	require.Equal(t, []result.ScheduledUpdate{{ProductKey: "a", InstallAction: "Error", ErrorChain: []result.UpdateError{{ErrorCode: ptr(int64(9)), ErrorDomain: "d"}}}}, updates)

	empty, err := result.ProfileList(answer(t, "ProfileList", []any{}))
	require.NoError(t, err)
	require.NotNil(t, empty, "an empty list is not an absent one")

	many := make([]any, 20_001)
	for i := range many {
		many[i] = map[string]any{}
	}
	_, err = result.InstalledApplicationList(answer(t, "InstalledApplicationList", many[:20_000]))
	require.NoError(t, err)
	_, err = result.InstalledApplicationList(answer(t, "InstalledApplicationList", many))
	require.ErrorIs(t, err, result.ErrTooMany)
	_, err = result.ProfileList(answer(t, "ProfileList", []any{map[string]any{"PayloadContent": many[:1001]}}))
	require.ErrorIs(t, err, result.ErrTooMany)
}

func TestAbsent(t *testing.T) {
	for key, read := range answers() {
		t.Run(key, func(t *testing.T) {
			_, err := read(answer(t, "Other", true))
			require.ErrorIs(t, err, result.ErrAbsent)
			_, err = read([]byte("bplist00"))
			require.ErrorIs(t, err, plist.ErrBinary)
		})
	}
}

func TestSecrets(t *testing.T) {
	code, err := result.ActivationLockBypassCode(answer(t, "ActivationLockBypassCode", "A8QK7-GFG21-6RHT-V0U9-756P-L7E3"))
	require.NoError(t, err)
	require.Equal(t, "A8QK7-GFG21-6RHT-V0U9-756P-L7E3", string(code))
	require.Equal(t, "[secret]", fmt.Sprint(code))

	key, err := result.RotateFileVaultKey(answer(t, "RotateResult", map[string]any{"EncryptedNewRecoveryKey": []byte("cms")}))
	require.NoError(t, err)
	require.Equal(t, []byte("cms"), key)
	_, err = result.RotateFileVaultKey(answer(t, "RotateResult", map[string]any{}))
	require.ErrorIs(t, err, result.ErrAbsent)

	for _, want := range []bool{true, false} {
		verified, err := result.VerifyRecoveryLock(answer(t, "PasswordVerified", want))
		require.NoError(t, err)
		require.Equal(t, want, verified)
	}
}

func TestDeviceLocation(t *testing.T) {
	locate := func(change map[string]any) (result.Location, error) {
		keys := map[string]any{
			"Latitude": 47.37, "Longitude": 8.54, "HorizontalAccuracy": 5.0, "VerticalAccuracy": 3.0, "Altitude": -2.0, "Speed": -1.0,
			"Timestamp": "2026-11-01T02:03:04Z",
		}
		for key, value := range change {
			keys[key] = value
		}
		body, err := plist.Encode(keys)
		require.NoError(t, err)
		return result.DeviceLocation(body)
	}
	got, err := locate(nil)
	require.NoError(t, err)
	at := time.Date(2026, 11, 1, 2, 3, 4, 0, time.UTC)
	require.Equal(t, result.Location{
		Latitude: 47.37, Longitude: 8.54, HorizontalAccuracy: ptr(5.0), VerticalAccuracy: ptr(3.0), Altitude: ptr(-2.0), Timestamp: &at,
	}, got)

	got, err = locate(map[string]any{"VerticalAccuracy": -1.0, "Timestamp": "yesterday"})
	require.NoError(t, err)
	require.Nil(t, got.Altitude)
	require.Nil(t, got.Timestamp)

	for _, change := range []map[string]any{{"Latitude": 91.0}, {"Longitude": -181.0}, {"Latitude": math.NaN()}, {"Longitude": math.Inf(1)}, {"Latitude": "47"}} {
		_, err := locate(change)
		require.ErrorIs(t, err, result.ErrAbsent)
	}
}

// No answer ends the process, and what is read is bounded.
func FuzzResults(f *testing.F) {
	for key := range answers() {
		f.Add(answer(f, key, map[string]any{"UDID": "A", "DeviceCapacity": 1.5, "FDE_Enabled": true}))
		f.Add(answer(f, key, []any{map[string]any{"Name": "A", "BundleSize": 7, "PayloadContent": []any{map[string]any{"PayloadType": "x"}}}}))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, read := range answers() {
			if _, err := read(body); err != nil {
				known := errors.Is(err, result.ErrAbsent) || errors.Is(err, result.ErrTooMany)
				for _, want := range []error{plist.ErrBinary, plist.ErrTooLarge, plist.ErrTooDeep, plist.ErrTooMany, plist.ErrMalformed} {
					known = known || errors.Is(err, want)
				}
				require.True(t, known, err)
			}
		}
	})
}

func BenchmarkInstalledApplicationList(b *testing.B) {
	list := make([]any, 500)
	for i := range list {
		list[i] = map[string]any{"Identifier": fmt.Sprint("com.example.", i), "Name": "Application", "Version": "1.0", "ShortVersion": "1", "BundleSize": 1000, "IsValidated": true}
	}
	body := answer(b, "InstalledApplicationList", list)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := result.InstalledApplicationList(body); err != nil {
			b.Fatal(err)
		}
	}
}
