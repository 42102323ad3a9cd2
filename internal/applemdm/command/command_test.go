package command_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/fault"
)

func TestEncode(t *testing.T) {
	body, err := command.Encode(command.EraseDevice{PreserveDataPlan: ptr(false), DisallowProximitySetup: ptr(true)}, "uuid")
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, plist.Decode(body, &got))
	require.Equal(t, map[string]any{
		"CommandUUID": "uuid",
		"Command":     map[string]any{"RequestType": "EraseDevice", "PreserveDataPlan": false, "DisallowProximitySetup": true},
	}, got)

	body, err = command.Encode(command.SetRecoveryLock{CurrentPassword: "old"}, "uuid")
	require.NoError(t, err)
	got = nil
	require.NoError(t, plist.Decode(body, &got))
	require.Equal(t, map[string]any{"RequestType": "SetRecoveryLock", "CurrentPassword": "old", "NewPassword": ""}, got["Command"], "an empty password clears the lock")

	_, err = command.Encode(command.DeviceLock{}, "")
	require.Error(t, err)
}

// What is stored is again the same command, and encodes alike.
func TestStored(t *testing.T) {
	for i, s := range samples() {
		name := command.RequestType(s.command)
		t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) {
			data, err := command.Marshal(s.command)
			require.NoError(t, err)
			again, err := command.Unmarshal(name, data)
			require.NoError(t, err)
			require.Equal(t, s.command, again)
			first, err := command.Encode(s.command, "1")
			require.NoError(t, err)
			second, err := command.Encode(again, "1")
			require.NoError(t, err)
			require.Equal(t, string(first), string(second))
		})
	}
	_, err := command.Unmarshal("FormatDisk", []byte("{}"))
	require.Error(t, err)
	_, err = command.Unmarshal("DeviceLock", []byte(`{"PIN":1}`))
	require.Error(t, err)
}

func TestSensitive(t *testing.T) {
	var sensitive []string
	for _, requestType := range command.RequestTypes() {
		c, err := command.Unmarshal(requestType, []byte("{}"))
		require.NoError(t, err)
		if command.Sensitive(c) {
			sensitive = append(sensitive, requestType)
		}
	}
	require.Equal(t, []string{
		"ClearPasscode", "DeviceLock", "EraseDevice", "InstallProfile", "RotateFileVaultKey", "SetRecoveryLock", "VerifyRecoveryLock",
	}, sensitive)
}

func TestSecretsAreNotPrinted(t *testing.T) {
	for _, c := range []command.Command{
		command.DeviceLock{PIN: "314159"},
		command.ClearPasscode{UnlockToken: []byte("314159")},
		command.RotateFileVaultKey{FileVaultUnlock: command.FileVaultUnlock{Password: "314159"}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			require.NotContains(t, fmt.Sprintf(verb, c), "314159")
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("queued", slog.Any("command", c), slog.Any("pin", command.Secret("314159")), slog.Any("data", command.SecretData("314159")))
		slog.New(slog.NewTextHandler(&log, nil)).Info("queued", slog.Any("command", c))
		require.NotContains(t, log.String(), "314159")
		require.NotContains(t, log.String(), "MzE0MTU5")
	}
}

func TestNewPIN(t *testing.T) {
	seen := map[command.Secret]bool{}
	for range 50 {
		pin, err := command.NewPIN()
		require.NoError(t, err)
		require.Regexp(t, regexp.MustCompile(`^[0-9]{6}$`), string(pin))
		require.NoError(t, command.Validate(command.DeviceLock{PIN: pin}, mac))
		seen[pin] = true
	}
	require.Greater(t, len(seen), 40)
}

// A text that is accepted reaches the device as it is.
func FuzzText(f *testing.F) {
	f.Add("Lost & found <here>\n\tBitte zurück 🙏", "012345")
	f.Add("\r\n", "1")
	f.Add("\ufffe\u0085\u2028", "]]>")
	f.Fuzz(func(t *testing.T, message, pin string) {
		c := command.DeviceLock{Message: message, PIN: command.Secret(pin)}
		if command.Validate(c, mac) != nil {
			return
		}
		body, err := command.Encode(c, "1")
		require.NoError(t, err)
		var got struct {
			Command struct{ Message, PIN string }
		}
		require.NoError(t, plist.Decode(body, &got))
		require.Equal(t, message, got.Command.Message)
		require.Equal(t, pin, got.Command.PIN)
	})
}

func TestValidate(t *testing.T) {
	old := func(t command.Target, version string) command.Target {
		t.OSVersion = version
		return t
	}
	update := func(u command.OSUpdate) command.Command {
		return command.ScheduleOSUpdate{Updates: []command.OSUpdate{u}}
	}
	both := command.EraseDevice{PreserveDataPlan: ptr(false), DisallowProximitySetup: ptr(false)}
	withPIN, withService := both, both
	withPIN.PIN = "012345"
	withService.ReturnToService = &command.ReturnToService{Enabled: true}
	large := command.EraseDevice{ReturnToService: &command.ReturnToService{WiFiProfileData: make([]byte, 2<<20)}}
	unsupervised := command.Target{Platform: command.IOS, OSVersion: "26.1"}
	const id = "input.deviceId"
	for name, c := range map[string]struct {
		command command.Command
		target  command.Target
		code    fault.Code
		field   string
	}{
		// Locking: a PIN for a Mac, and for nothing else.
		"lock a Mac without a PIN":        {command.DeviceLock{}, mac, fault.InvalidArgument, "input.pin"},
		"lock with five digits":           {command.DeviceLock{PIN: "12345"}, mac, fault.InvalidArgument, "input.pin"},
		"lock with letters":               {command.DeviceLock{PIN: "12345a"}, mac, fault.InvalidArgument, "input.pin"},
		"lock with a line feed":           {command.DeviceLock{PIN: "123456\n"}, mac, fault.InvalidArgument, "input.pin"},
		"lock with other digits":          {command.DeviceLock{PIN: "١٢٣٤٥٦"}, mac, fault.InvalidArgument, "input.pin"},
		"lock a phone with a PIN":         {command.DeviceLock{PIN: "123456"}, phone, fault.InvalidArgument, "input.pin"},
		"lock with a long message":        {command.DeviceLock{Message: strings.Repeat("x", 1001)}, phone, fault.InvalidArgument, "input.message"},
		"lock with a NUL":                 {command.DeviceLock{Message: "a\x00"}, phone, fault.InvalidArgument, "input.message"},
		"lock with broken text":           {command.DeviceLock{Message: "a\xff"}, phone, fault.InvalidArgument, "input.message"},
		"lock with a long number":         {command.DeviceLock{PhoneNumber: strings.Repeat("1", 101)}, phone, fault.InvalidArgument, "input.phoneNumber"},
		"lock an old Mac with a message":  {command.DeviceLock{PIN: "123456", Message: "a"}, old(intel, "10.13"), fault.PreconditionFailed, "input.message"},
		"lock an old Mac with a number":   {command.DeviceLock{PIN: "123456", PhoneNumber: "1"}, old(intel, "11.4"), fault.PreconditionFailed, "input.phoneNumber"},
		"lock a Vision with a message":    {command.DeviceLock{Message: "a"}, vision, fault.InvalidArgument, "input.message"},
		"lock a TV":                       {command.DeviceLock{}, tv, fault.PlatformNotSupported, id},
		"lock a PC":                       {command.DeviceLock{}, command.Target{Platform: "WINDOWS"}, fault.PlatformNotSupported, id},
		"lock a phone of unknown version": {command.DeviceLock{}, command.Target{Platform: command.IOS}, "", ""},
		// Erasing.
		"erase Apple silicon":              {command.EraseDevice{}, mac, "", ""},
		"erase Apple silicon with a PIN":   {command.EraseDevice{PIN: "000001"}, mac, "", ""},
		"erase an Intel Mac without a PIN": {command.EraseDevice{}, intel, fault.InvalidArgument, "input.pin"},
		"erase a Mac's data plan":          {command.EraseDevice{PIN: "000001", PreserveDataPlan: ptr(true)}, mac, fault.InvalidArgument, "input.preserveDataPlan"},
		"erase a Mac's proximity setup":    {command.EraseDevice{PIN: "000001", DisallowProximitySetup: ptr(true)}, mac, fault.InvalidArgument, "input.disallowProximitySetup"},
		"erase an iPhone":                  {both, phone, "", ""},
		"erase an iPhone with a PIN":       {withPIN, phone, fault.InvalidArgument, "input.pin"},
		"erase an iPad, data plan unsaid":  {command.EraseDevice{DisallowProximitySetup: ptr(true)}, tablet, fault.InvalidArgument, "input.preserveDataPlan"},
		"erase an iPad, proximity unsaid":  {command.EraseDevice{PreserveDataPlan: ptr(true)}, tablet, fault.InvalidArgument, "input.disallowProximitySetup"},
		"erase a person's own phone":       {both, own, fault.PreconditionFailed, id},
		"erase with a strange fallback":    {command.EraseDevice{ObliterationBehavior: "Never"}, mac, fault.InvalidArgument, "input.obliterationBehavior"},
		"erase a TV with a fallback":       {command.EraseDevice{ObliterationBehavior: "Always"}, tv, fault.InvalidArgument, "input.obliterationBehavior"},
		"erase an old Mac with a fallback": {command.EraseDevice{PIN: "000001", ObliterationBehavior: "Always"}, old(intel, "11.7"), fault.PreconditionFailed, "input.obliterationBehavior"},
		"return a Mac to service":          {command.EraseDevice{ReturnToService: &command.ReturnToService{}}, mac, fault.InvalidArgument, "input.returnToService"},
		"return an old phone to service":   {withService, old(phone, "16.7.2"), fault.PreconditionFailed, "input.returnToService"},
		"return with a large profile":      {large, tv, fault.InvalidArgument, "input.returnToService.wifiProfile"},
		// Restarting.
		"restart a phone without supervision": {command.RestartDevice{}, unsupervised, fault.PreconditionFailed, id},
		"restart a phone with kexts":          {command.RestartDevice{KextPaths: []string{"/a"}}, phone, fault.InvalidArgument, "input.kextPaths"},
		"restart a phone and ask":             {command.RestartDevice{NotifyUser: true}, phone, fault.InvalidArgument, "input.notifyUser"},
		"restart a Mac with kexts unread":     {command.RestartDevice{KextPaths: []string{"/a"}}, mac, fault.InvalidArgument, "input.kextPaths"},
		"restart a Mac with an empty kext":    {command.RestartDevice{RebuildKernelCache: true, KextPaths: []string{" "}}, mac, fault.InvalidArgument, "input.kextPaths"},
		"restart a Mac with many kexts":       {command.RestartDevice{RebuildKernelCache: true, KextPaths: make([]string, 101)}, mac, fault.InvalidArgument, "input.kextPaths"},
		"restart an old Mac with kexts":       {command.RestartDevice{RebuildKernelCache: true}, old(intel, "10.15.7"), fault.PreconditionFailed, "input.kextPaths"},
		"restart an old Mac and ask":          {command.RestartDevice{NotifyUser: true}, old(intel, "11.3.1"), fault.PreconditionFailed, "input.notifyUser"},
		"shut a TV down":                      {command.ShutDownDevice{}, tv, fault.PlatformNotSupported, id},
		// Updates.
		"update system 27":                  {update(command.OSUpdate{ProductKey: "a", InstallAction: "Default"}), old(mac, "27.0"), fault.PreconditionFailed, id},
		"update nothing":                    {command.ScheduleOSUpdate{}, mac, fault.InvalidArgument, "input.updates"},
		"update to what":                    {update(command.OSUpdate{InstallAction: "Default"}), mac, fault.InvalidArgument, "input.productKey"},
		"update how":                        {update(command.OSUpdate{ProductKey: "a"}), mac, fault.InvalidArgument, "input.installAction"},
		"update as JumpCloud's sample":      {update(command.OSUpdate{ProductKey: "a", InstallAction: "INSTALL_ASAP"}), mac, fault.InvalidArgument, "input.installAction"},
		"update a phone later":              {update(command.OSUpdate{ProductKey: "a", InstallAction: "InstallLater"}), phone, fault.InvalidArgument, "input.installAction"},
		"put off what is not later":         {update(command.OSUpdate{ProductKey: "a", InstallAction: "InstallASAP", MaxUserDeferrals: ptr(1)}), mac, fault.InvalidArgument, "input.maxUserDeferrals"},
		"put off less than never":           {update(command.OSUpdate{ProductKey: "a", InstallAction: "InstallLater", MaxUserDeferrals: ptr(-1)}), mac, fault.InvalidArgument, "input.maxUserDeferrals"},
		"put off on an old Mac":             {update(command.OSUpdate{ProductKey: "a", InstallAction: "InstallLater", MaxUserDeferrals: ptr(1)}), old(intel, "11.6"), fault.PreconditionFailed, "input.maxUserDeferrals"},
		"priority on a phone":               {update(command.OSUpdate{ProductKey: "a", InstallAction: "Default", Priority: "Low"}), phone, fault.InvalidArgument, "input.priority"},
		"a strange priority":                {update(command.OSUpdate{ProductKey: "a", InstallAction: "Default", Priority: "Top"}), mac, fault.InvalidArgument, "input.priority"},
		"priority on an old Mac":            {update(command.OSUpdate{ProductKey: "a", InstallAction: "Default", Priority: "Low"}), old(intel, "12.2.1"), fault.PreconditionFailed, "input.priority"},
		"a version on an old Mac":           {update(command.OSUpdate{ProductVersion: "11.7", InstallAction: "Default"}), old(intel, "11.6"), fault.PreconditionFailed, "input.productVersion"},
		"download on an old Mac":            {update(command.OSUpdate{ProductKey: "a", InstallAction: "DownloadOnly"}), old(intel, "10.15.7"), fault.PreconditionFailed, "input.installAction"},
		"update status without supervision": {command.OSUpdateStatus{}, unsupervised, fault.PreconditionFailed, id},
		// The rest.
		"lost mode without a word":           {command.EnableLostMode{Footnote: "a"}, phone, fault.InvalidArgument, "input.message"},
		"lost mode for a Mac":                {command.EnableLostMode{Message: "a"}, mac, fault.PlatformNotSupported, id},
		"lost mode without supervision":      {command.EnableLostMode{Message: "a"}, unsupervised, fault.PreconditionFailed, id},
		"clear a Mac's passcode":             {command.ClearPasscode{UnlockToken: []byte("a")}, mac, fault.PlatformNotSupported, id},
		"clear a TV's passcode":              {command.ClearPasscode{UnlockToken: []byte("a")}, tv, fault.PlatformNotSupported, id},
		"clear a passcode without a token":   {command.ClearPasscode{}, phone, fault.PreconditionFailed, id},
		"unlock no one":                      {command.UnlockUserAccount{UserName: " "}, mac, fault.InvalidArgument, "input.userName"},
		"unlock on a phone":                  {command.UnlockUserAccount{UserName: "ada"}, phone, fault.PlatformNotSupported, id},
		"recovery lock on Intel":             {command.SetRecoveryLock{NewPassword: "a"}, intel, fault.PlatformNotSupported, id},
		"recovery lock on an old Mac":        {command.SetRecoveryLock{NewPassword: "a"}, old(mac, "11.4"), fault.PreconditionFailed, id},
		"verify nothing":                     {command.VerifyRecoveryLock{}, mac, fault.InvalidArgument, "input.password"},
		"rotate an institution's key":        {command.RotateFileVaultKey{KeyType: "institutional"}, mac, fault.InvalidArgument, "input.keyType"},
		"rotate with nothing to open":        {command.RotateFileVaultKey{KeyType: "personal"}, mac, fault.InvalidArgument, "input.password"},
		"rename to nothing":                  {command.SetDeviceName(""), mac, fault.InvalidArgument, "input.name"},
		"rename to much":                     {command.SetDeviceName(strings.Repeat("x", 256)), mac, fault.InvalidArgument, "input.name"},
		"rename without supervision":         {command.SetDeviceName("a"), unsupervised, fault.PreconditionFailed, id},
		"no settings":                        {command.Settings{}, mac, fault.InvalidArgument, "input.settings"},
		"an unknown setting":                 {command.Settings{Settings: []command.Setting{{Item: "Wallpaper"}}}, mac, fault.InvalidArgument, "input.settings"},
		"remote desktop without supervision": {command.EnableRemoteDesktop{}, command.Target{Platform: command.MacOS, OSVersion: "26.1"}, fault.PreconditionFailed, id},
		"install nothing":                    {command.InstallProfile{}, mac, fault.InvalidArgument, "input.payload"},
		"install much":                       {command.InstallProfile{Payload: make([]byte, 2<<20)}, mac, fault.InvalidArgument, "input.payload"},
		"remove nothing":                     {command.RemoveProfile{}, mac, fault.InvalidArgument, "input.identifier"},
		"declare much":                       {command.DeclarativeManagement{Data: make([]byte, 65<<10)}, mac, fault.InvalidArgument, "input.data"},
		"declare to an old phone":            {command.DeclarativeManagement{}, old(phone, "14.8"), fault.PreconditionFailed, id},
		"ask nothing":                        {command.DeviceInformation{}, mac, fault.InvalidArgument, "input.queries"},
		"ask for a nameless fact":            {command.DeviceInformation{Queries: []string{""}}, mac, fault.InvalidArgument, "input.queries"},
		"list a nameless application":        {command.InstalledApplicationList{Identifiers: []string{""}}, mac, fault.InvalidArgument, "input.identifiers"},
		"list one application of an old Mac": {command.InstalledApplicationList{Identifiers: []string{"a"}}, old(intel, "10.14.6"), fault.PreconditionFailed, "input.identifiers"},
	} {
		t.Run(name, func(t *testing.T) {
			err := command.Validate(c.command, c.target)
			require.Equal(t, c.code, fault.CodeOf(err), "%v", err)
			if c.code == "" {
				return
			}
			var f *fault.Error
			require.ErrorAs(t, err, &f)
			require.Equal(t, c.field, f.Field)
			require.NotEmpty(t, f.Message)
		})
	}
}
