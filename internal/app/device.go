package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/endpoint"
	"github.com/bailiwick/bailiwick/internal/applemdm/inventory"
	"github.com/bailiwick/bailiwick/internal/applemdm/membership"
	"github.com/bailiwick/bailiwick/internal/applemdm/portal"
	"github.com/bailiwick/bailiwick/internal/applemdm/push"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/applemdm/signature"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/telemetry"
)

// pushEvery is too short for anyone to notice, and spares most of the jobs while
// one command after the other is queued.
const pushEvery = 200 * time.Millisecond

// lull is for how long those who enrol at once are waited for: nobody notices, and
// a whole room of devices is seen to together.
const lull = time.Second

// openDevices wires what managed devices are told, what they answer, and how
// they are woken.
func (a *App) openDevices(context.Context) (err error) {
	c := a.config
	bell := deviceAlarms{a.Alerts}
	a.Inventory, err = inventory.New(inventory.Config{DB: a.DB, Vault: a.Vault, Bus: a.Bus, Alarms: bell, Logger: c.Logger, Clock: c.Clock})
	if err != nil {
		return err
	}
	roots, err := apnsRoots(c)
	if err != nil {
		return err
	}
	sender, err := push.New(push.Config{Host: c.APNSHost, Roots: roots, Clock: c.Clock})
	if err != nil {
		return err
	}
	// A renewed certificate needs a connection of its own.
	a.Bus.Handle(event.AppleMdmChanged, func(e event.Event) {
		if !e.Resync {
			sender.Forget(e.Organization)
		}
	})
	a.Commands, err = queue.New(queue.Config{
		DB: a.DB, Vault: a.Vault, Jobs: a.Queue, Pusher: pusher{a.AppleMDM, sender}, Alarms: bell, Inventory: a.Inventory,
		Log: a.log, Logger: c.Logger, Clock: c.Clock, PushEvery: pushEvery,
	})
	if err != nil {
		return err
	}
	a.Members, err = membership.New(membership.Config{
		DB: a.DB, Vault: a.Vault, Jobs: a.Queue, Queue: a.Commands, Inventory: a.Inventory, Alarms: bell,
		Identities: identities{a.AppleMDM}, Seats: a.AppleMDM, Log: a.log, Logger: c.Logger, Clock: c.Clock, Lull: lull,
	})
	if err != nil {
		return err
	}
	return errors.Join(a.Commands.Register(a.Queue), a.Members.Register(a.Queue))
}

// apnsRoots are the authorities that certify the push service; nil for the
// system's.
func apnsRoots(c Config) (*x509.CertPool, error) {
	if c.APNSRoots != nil || c.APNSCA == "" {
		return c.APNSRoots, nil
	}
	text, err := os.ReadFile(c.APNSCA)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.SettingName("APNSCA"), err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %s holds no certificate in PEM", config.SettingName("APNSCA"), c.APNSCA)
	}
	return roots, nil
}

// managedRoutes are what managed devices call.
func (a *App) managedRoutes() ([]portal.Route, error) {
	c := a.config
	h, err := endpoint.New(endpoint.Config{
		Authorities: sites{a.AppleMDM}, Members: a.Members, Queue: a.Commands, UserChannels: c.MDMUserChannels,
		Proxy: signature.ProxyConfig{
			Header: c.MDMCertificateHeader, Format: signature.Format(c.MDMCertificateFormat),
			Trusted: func(r *http.Request) bool { return telemetry.FromTrusted(c.TrustedProxies, r.RemoteAddr) },
		},
		Logger: c.Logger, Clock: c.Clock,
	})
	if err != nil {
		return nil, err
	}
	return []portal.Route{
		{Pattern: endpoint.CheckinPattern, Handler: http.HandlerFunc(h.Checkin)},
		{Pattern: endpoint.ConnectPattern, Handler: http.HandlerFunc(h.Connect)},
	}, nil
}

// deviceAlarms lets device management raise alerts about devices.
type deviceAlarms struct{ *alert.Service }

// Alarm implements queue.Alarms, membership.Alarms and inventory.Alarms.
func (s deviceAlarms) Alarm(ctx context.Context, organization, device, alertType, dedupeKey, title, description string) error {
	_, _, err := s.Raise(ctx, alert.Report{
		Organization: organization, DeviceID: device, Type: alertType, DedupeKey: dedupeKey, Title: title, Description: description,
	})
	return err
}

// sites tells the endpoint by what an organization's devices are judged.
type sites struct{ *applemdm.Service }

// Authority implements endpoint.Authorities.
func (s sites) Authority(ctx context.Context, organization string) (endpoint.Authority, error) {
	site, err := s.Site(ctx, organization)
	if err != nil {
		return endpoint.Authority{}, err
	}
	return endpoint.Authority{
		Provider: site.Provider, Trust: site.Trust, Topic: site.Topic,
		Seat: func(ctx context.Context, deviceID string, wanted int) error {
			return s.CheckSeat(ctx, site, deviceID, wanted)
		},
	}, nil
}

// identities are the certificates of devices.
type identities struct{ *applemdm.Service }

// RenewalProfile implements membership.Identities.
func (s identities) RenewalProfile(ctx context.Context, d *ent.Device, until time.Time) ([]byte, error) {
	site, err := s.Site(ctx, d.OrganizationID)
	if err != nil {
		return nil, err
	}
	return s.Service.RenewalProfile(ctx, site, d.ID, until)
}

// pusher sends notifications with an organization's certificate.
type pusher struct {
	mdm    *applemdm.Service
	sender *push.Sender
}

// Push implements queue.Pusher.
func (p pusher) Push(ctx context.Context, organization string, notifications []queue.Notification) ([]queue.Outcome, error) {
	site, err := p.mdm.Site(ctx, organization)
	if err != nil {
		return nil, err
	}
	certificate, err := p.mdm.PushCertificate(site.Context(ctx, "device management"), site)
	if err != nil {
		return nil, err
	}
	batch := push.Batch{Certificate: push.Certificate{Tenant: organization, TLS: certificate}}
	for _, n := range notifications {
		batch.Notifications = append(batch.Notifications, push.Notification{Token: n.Token, Magic: n.Magic, Topic: n.Topic})
	}
	outcomes := make([]queue.Outcome, 0, len(notifications))
	for _, o := range p.sender.SendMany(ctx, []push.Batch{batch})[0] {
		switch o.Status {
		case push.Accepted:
			outcomes = append(outcomes, queue.Accepted)
		case push.DeadToken:
			outcomes = append(outcomes, queue.TokenDead)
		case push.CertificateRefused:
			outcomes = append(outcomes, queue.CertificateRefused)
		case push.Rejected:
			outcomes = append(outcomes, queue.Rejected)
		case push.RetryLater:
			outcomes = append(outcomes, queue.TryLater)
		}
	}
	return outcomes, nil
}
