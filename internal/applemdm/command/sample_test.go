package command_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/command"
)

func ptr[T any](v T) *T { return &v }

var (
	mac    = command.Target{Platform: command.MacOS, OSVersion: "26.1", Supervised: true, AppleSilicon: true}
	intel  = command.Target{Platform: command.MacOS, OSVersion: "15.1", Supervised: true}
	phone  = command.Target{Platform: command.IOS, OSVersion: "26.1", Supervised: true}
	tablet = command.Target{Platform: command.IPadOS, OSVersion: "26.1", Supervised: true}
	own    = command.Target{Platform: command.IOS, OSVersion: "26.1", UserEnrollment: true}
	tv     = command.Target{Platform: command.TVOS, OSVersion: "26.1", Supervised: true}
	watch  = command.Target{Platform: command.WatchOS, OSVersion: "26.1", Supervised: true}
	vision = command.Target{Platform: command.VisionOS, OSVersion: "26.1", Supervised: true}
)

type sample struct {
	command command.Command
	target  command.Target
}

// samples hold every command, with every field somewhere, each for a device
// that obeys it.
func samples() []sample {
	service := &command.ReturnToService{Enabled: true, WiFiProfileData: []byte("wifi"), MDMProfileData: []byte("mdm")}
	return []sample{
		{command.DeviceInformation{Queries: command.Queries(mac)}, mac},
		{command.DeviceInformation{Queries: command.Queries(phone)}, phone},
		{command.SecurityInfo{}, mac},
		{command.InstalledApplicationList{}, own},
		{command.InstalledApplicationList{Identifiers: []string{"com.example.app"}, ManagedAppsOnly: true}, mac},
		{command.ProfileList{ManagedOnly: true}, phone},
		{command.CertificateList{ManagedOnly: true}, tv},
		{command.InstallProfile{Payload: []byte("<plist/>")}, mac},
		{command.RemoveProfile{Identifier: "com.example.mdm"}, own},
		{command.DeclarativeManagement{}, mac},
		{command.DeclarativeManagement{Data: []byte(`{}`)}, phone},
		{command.DeviceLock{PIN: "012345", Message: "Lost", PhoneNumber: "+41 44 000 00 00"}, mac},
		{command.DeviceLock{Message: "Lost", PhoneNumber: "+41 44 000 00 00"}, phone},
		{command.DeviceLock{}, vision},
		{command.DeviceLock{}, own},
		{command.EraseDevice{}, mac},
		{command.EraseDevice{PIN: "012345", ObliterationBehavior: "DoNotObliterate"}, intel},
		{command.EraseDevice{PreserveDataPlan: ptr(false), DisallowProximitySetup: ptr(true), ReturnToService: service}, phone},
		{command.EraseDevice{PreserveDataPlan: ptr(true), DisallowProximitySetup: ptr(false)}, tablet},
		{command.EraseDevice{ReturnToService: &command.ReturnToService{}}, tv},
		{command.EraseDevice{PreserveDataPlan: ptr(true)}, watch},
		{command.RestartDevice{}, tv},
		{command.RestartDevice{NotifyUser: true, RebuildKernelCache: true, KextPaths: []string{"/Library/Extensions/a.kext"}}, mac},
		{command.DeviceConfigured{}, mac},
		{command.DeviceConfigured{}, phone},
		{command.ShutDownDevice{}, tablet},
		{command.SetDeviceName("Ada's Mac"), mac},
		{command.SetDeviceName("Ada's iPhone"), phone},
		{command.EnableRemoteDesktop{}, mac},
		{command.DisableRemoteDesktop{}, mac},
		{command.EnableLostMode{Message: "Lost", PhoneNumber: "+41 44 000 00 00", Footnote: "Reward"}, phone},
		{command.EnableLostMode{PhoneNumber: "+41 44 000 00 00"}, tablet},
		{command.DisableLostMode{}, phone},
		{command.PlayLostModeSound{}, phone},
		{command.DeviceLocation{}, phone},
		{command.ClearPasscode{UnlockToken: []byte("token")}, phone},
		{command.UnlockUserAccount{UserName: "ada"}, mac},
		{command.SetRecoveryLock{CurrentPassword: "old", NewPassword: "new"}, mac},
		{command.SetRecoveryLock{CurrentPassword: "old"}, mac},
		{command.VerifyRecoveryLock{Password: "new"}, mac},
		{command.RotateFileVaultKey{KeyType: "personal", FileVaultUnlock: command.FileVaultUnlock{Password: "key"}, ReplyEncryptionCertificate: []byte{0x30}}, intel},
		{command.ActivationLockBypassCode{}, phone},
		{command.ClearActivationLockBypassCode{}, mac},
		{command.ScheduleOSUpdate{Updates: []command.OSUpdate{{ProductKey: "MSU_1", InstallAction: "InstallASAP"}}}, tv},
		{command.ScheduleOSUpdate{Updates: []command.OSUpdate{{
			ProductVersion: "26.2", InstallAction: "InstallLater", MaxUserDeferrals: ptr(0), Priority: "High",
		}}}, mac},
		{command.AvailableOSUpdates{}, phone},
		{command.OSUpdateStatus{}, intel},
	}
}

// The samples leave nothing out.
func TestSamples(t *testing.T) {
	unset := map[string]bool{}
	for _, requestType := range command.RequestTypes() {
		unset[requestType] = true
	}
	for _, s := range samples() {
		fields(reflect.TypeOf(s.command), "", unset)
	}
	for _, s := range samples() {
		delete(unset, command.RequestType(s.command))
		used(reflect.ValueOf(s.command), "", unset)
	}
	require.Empty(t, unset)
}

func fields(t reflect.Type, path string, into map[string]bool) {
	path += t.Name()
	for field := range t.Fields() {
		if !field.IsExported() {
			continue
		}
		into[path+"."+field.Name] = true
		if inner := structure(field.Type); inner != nil {
			fields(inner, path+".", into)
		}
	}
}

func used(v reflect.Value, path string, unset map[string]bool) {
	path += v.Type().Name()
	for field := range v.Type().Fields() {
		value := v.FieldByIndex(field.Index)
		if !field.IsExported() || value.IsZero() {
			continue
		}
		delete(unset, path+"."+field.Name)
		if structure(field.Type) == nil {
			continue
		}
		if value = reflect.Indirect(value); value.Kind() == reflect.Slice {
			for i := range value.Len() {
				used(value.Index(i), path+".", unset)
			}
			continue
		}
		used(value, path+".", unset)
	}
}

func structure(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct {
		return t
	}
	return nil
}
