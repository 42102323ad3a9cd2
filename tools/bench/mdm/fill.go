package mdm

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	_ "github.com/lib/pq" // the driver "postgres"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/tenancy"
	benchdata "github.com/bailiwick/bailiwick/tools/bench/data"
)

// batch is how many rows are created at once.
const batch = 500

// Fill makes the measured provider with so many organizations, all of which
// trust the fleet's authority and have given its devices their certificates:
// device i is of organization i modulo their number. It answers the
// organizations' ids. With enrolled, so many of the devices are enrolled.
func (f *Fleet) Fill(ctx context.Context, client *ent.Client, organizations, enrolled int) (ids []string, err error) {
	ctx = tenancy.System(ctx, "make the tenants of a measurement")
	p, err := client.Provider.Create().SetName(benchdata.Provider).Save(ctx)
	if err != nil {
		return nil, err
	}
	if ids, err = f.organizations(ctx, client, p.ID, organizations); err != nil {
		return nil, err
	}
	of := func(i int) string { return ids[i%len(ids)] }
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)
	for begin := 0; begin < len(f.Devices); begin += batch {
		end := min(begin+batch, len(f.Devices))
		var devices []*ent.DeviceCreate
		for i := begin; i < min(end, enrolled); i++ {
			d := f.Devices[i]
			devices = append(devices, client.Device.Create().SetProviderID(p.ID).SetOrganizationID(of(i)).
				SetName("Mac "+d.Serial).SetSerialNumber(d.Serial).SetUdid(d.UDID).SetPlatform(device.PlatformMacOS).
				SetModel("MacBook Pro").SetModelIdentifier("Mac15,3").SetOsVersion("15.1").SetBuildVersion("24B83").
				SetEnrolled(true).SetFirstEnrolledAt(at).SetLastEnrolledAt(at).SetLastSeenAt(at))
		}
		made, err := client.Device.CreateBulk(devices...).Save(ctx)
		if err != nil {
			return nil, err
		}
		var channels []*ent.DeviceChannelCreate
		var identities []*ent.DeviceIdentityCreate
		for i := begin; i < end; i++ {
			d := f.Devices[i]
			identity := client.DeviceIdentity.Create().SetProviderID(p.ID).SetOrganizationID(of(i)).SetFingerprint(d.Fingerprint()).
				SetSerialNumber(d.Certificate.SerialNumber.Text(16)).SetCommonName(d.Serial).
				SetNotBefore(d.Certificate.NotBefore).SetNotAfter(d.Certificate.NotAfter)
			if i < enrolled {
				owner := made[i-begin].ID
				identity.SetDeviceID(owner)
				channels = append(channels, client.DeviceChannel.Create().SetProviderID(p.ID).SetOrganizationID(of(i)).SetDeviceID(owner).
					SetKey(d.UDID).SetStatus(devicechannel.StatusEnrolled).SetFingerprint(d.Fingerprint()).SetTopic(Topic).
					SetPushToken(d.PushToken()).SetPushMagic(d.UDID).SetLastSeenAt(at))
			}
			identities = append(identities, identity)
		}
		if err := client.DeviceChannel.CreateBulk(channels...).Exec(ctx); err != nil {
			return nil, err
		}
		if err := client.DeviceIdentity.CreateBulk(identities...).Exec(ctx); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (f *Fleet) organizations(ctx context.Context, client *ent.Client, provider string, n int) (ids []string, err error) {
	for begin := 0; begin < n; begin += batch {
		var organizations []*ent.OrganizationCreate
		for i := begin; i < min(begin+batch, n); i++ {
			organizations = append(organizations, client.Organization.Create().SetProviderID(provider).SetName(fmt.Sprintf("Organization %04d", i)))
		}
		made, err := client.Organization.CreateBulk(organizations...).Save(ctx)
		if err != nil {
			return nil, err
		}
		var settings []*ent.AppleMdmCreate
		for _, o := range made {
			ids = append(ids, o.ID)
			settings = append(settings, client.AppleMdm.Create().SetProviderID(provider).SetOrganizationID(o.ID).SetName("Bench").
				SetTopic(Topic).SetCaCertificate(f.Authority.Raw).SetPushStatus(applemdm.PushStatusMissing))
		}
		if err := client.AppleMdm.CreateBulk(settings...).Exec(ctx); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// AddHistory gives every channel so many commands that were acknowledged. The
// login must be a superuser, to whom row-level security does not apply.
func AddHistory(ctx context.Context, db *sql.DB, commands int) error {
	_, err := db.ExecContext(ctx, `INSERT INTO device_commands
  (id, provider_id, organization_id, device_id, channel_id, created_at, updated_at, command_uuid, request_type, arguments,
   status, priority, sent_at, result_at, attempts, inventory)
SELECT 'dcmd_h' || row_number() OVER (), c.provider_id, c.organization_id, c.device_id, c.id, now(), now(),
  gen_random_uuid()::text, 'RestartDevice', '{}', 'ACKNOWLEDGED', 0, now(), now(), 1, false
FROM device_channels c, generate_series(1, $1) n`, commands)
	if err != nil {
		return fmt.Errorf("add history: %w", err)
	}
	return nil
}
