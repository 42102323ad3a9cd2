package result_test

import (
	"os"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/result"
	"github.com/bailiwick/bailiwick/internal/testkit/appleschema"
)

// decoder reads an answer into what it holds.
func decoder[T any](read func([]byte) (T, error)) func([]byte) (any, error) {
	return func(body []byte) (any, error) { return read(body) }
}

// answers are the decoders, by the key that only their answers have.
func answers() map[string]func([]byte) (any, error) {
	return map[string]func([]byte) (any, error){
		"QueryResponses":           decoder(result.DeviceInformation),
		"SecurityInfo":             decoder(result.SecurityInfo),
		"InstalledApplicationList": decoder(result.InstalledApplicationList),
		"ProfileList":              decoder(result.ProfileList),
		"CertificateList":          decoder(result.CertificateList),
		"OSUpdateStatus":           decoder(result.OSUpdateStatus),
		"AvailableOSUpdates":       decoder(result.AvailableOSUpdates),
		"UpdateResults":            decoder(result.ScheduleOSUpdate),
		"ActivationLockBypassCode": decoder(result.ActivationLockBypassCode),
		"RotateResult":             decoder(result.RotateFileVaultKey),
		"PasswordVerified":         decoder(result.VerifyRecoveryLock),
		"Latitude":                 decoder(result.DeviceLocation),
	}
}

// Apple's example answers are read, by the report's decoder and the result's.
func TestAppleExamples(t *testing.T) {
	files := appleschema.Open(t).Examples(t)
	if len(files) == 0 {
		t.Skip("this release of apple/device-management has no examples")
	}
	replayed := map[string]int{}
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		var keys map[string]any
		require.NoError(t, plist.Decode(body, &keys), file)
		if keys["Status"] == nil {
			continue // a request
		}
		_, err = message.DecodeReport(body)
		require.NoError(t, err, file)
		for key, read := range answers() {
			if keys[key] == nil {
				continue
			}
			got, err := read(body)
			require.NoError(t, err, file)
			require.False(t, reflect.ValueOf(got).IsZero(), file)
			replayed[key]++
		}
	}
	for _, key := range []string{
		"QueryResponses", "SecurityInfo", "InstalledApplicationList", "ProfileList",
		"OSUpdateStatus", "AvailableOSUpdates", "UpdateResults", "ActivationLockBypassCode", "Latitude",
	} {
		require.Positive(t, replayed[key], "no example with %s", key)
	}
}

// Every field is read from a key that Apple documents, of a type that it can hold.
func TestKeys(t *testing.T) {
	commands := appleschema.Open(t).Commands(t)
	for requestType, c := range map[string]struct {
		key string
		in  reflect.Type
	}{
		"DeviceInformation":        {"QueryResponses", reflect.TypeFor[result.Device]()},
		"SecurityInfo":             {"SecurityInfo", reflect.TypeFor[result.Security]()},
		"InstalledApplicationList": {"InstalledApplicationList", reflect.TypeFor[[]result.Application]()},
		"ProfileList":              {"ProfileList", reflect.TypeFor[[]result.Profile]()},
		"CertificateList":          {"CertificateList", reflect.TypeFor[[]result.Certificate]()},
		"OSUpdateStatus":           {"OSUpdateStatus", reflect.TypeFor[[]result.UpdateStatus]()},
		"AvailableOSUpdates":       {"AvailableOSUpdates", reflect.TypeFor[[]result.AvailableUpdate]()},
	} {
		t.Run(requestType, func(t *testing.T) {
			for _, key := range commands[requestType].ResponseKeys {
				if key.Key == c.key {
					compare(t, c.key, key, c.in)
					return
				}
			}
			t.Fatalf("Apple documents no %s", c.key)
		})
	}
}

func compare(t *testing.T, path string, key appleschema.Key, in reflect.Type) {
	t.Helper()
	types := map[string]string{
		"string": "<string>", "*bool": "<boolean>", "*int64": "<integer>", "*float64": "<real>", "*time.Time": "<date>", "[]uint8": "<data>",
	}
	if want, simple := types[in.String()]; simple {
		require.Equal(t, want, key.Type, path)
		return
	}
	switch in.Kind() {
	case reflect.Pointer:
		compare(t, path, key, in.Elem())
	case reflect.Slice:
		require.Equal(t, "<array>", key.Type, path)
		require.Len(t, key.SubKeys, 1, path)
		compare(t, path, key.SubKeys[0], in.Elem())
	case reflect.Struct:
		require.Equal(t, "<dictionary>", key.Type, path)
		documented := map[string]appleschema.Key{}
		for _, sub := range key.SubKeys {
			documented[sub.Key] = sub
		}
		for field := range in.Fields() {
			name := field.Tag.Get("key")
			if name == "" {
				name = field.Name
			}
			sub, ok := documented[name]
			require.True(t, ok, "%s.%s is not Apple's", path, name)
			compare(t, path+"."+name, sub, field.Type)
		}
	default:
		t.Fatalf("%s: %s", path, in)
	}
}
