package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/portal"
	"github.com/bailiwick/bailiwick/internal/applemdm/pushcert"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/httpd"
	"github.com/bailiwick/bailiwick/internal/telemetry"
)

// openAppleMDM wires device management, and the alerts about it.
func (a *App) openAppleMDM(ctx context.Context) error {
	c := a.config
	vendor, err := vendorOf(c.Config)
	if err != nil {
		return err
	}
	if vendor != nil && c.Clock().After(vendor.NotAfter()) {
		c.Logger.ErrorContext(ctx, "the MDM vendor certificate has expired: push certificates cannot be requested until it is renewed",
			"expired", vendor.NotAfter())
	}
	a.AppleMDM, err = applemdm.New(applemdm.Config{
		DB: a.DB, Bus: a.Bus, Vault: a.Vault, Alarms: alarms{a.Alerts, "ORGANIZATION"}, Log: a.log,
		URL: c.DeviceURL(), Vendor: vendor, Logger: c.Logger, Clock: c.Clock,
	})
	return err
}

// vendorOf reads the MDM vendor certificate; nil if none is configured. One that
// has expired is read, since the rest of the service does without it.
func vendorOf(c config.Config) (*pushcert.Vendor, error) {
	if c.MDMVendorCertificate == "" {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	chain, err := os.ReadFile(c.MDMVendorCertificate)
	if err != nil {
		return nil, fmt.Errorf("--mdm-vendor-certificate: %w", err)
	}
	info, err := os.Stat(c.MDMVendorKey)
	if err != nil {
		return nil, fmt.Errorf("--mdm-vendor-key: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("--mdm-vendor-key: %s is open to others; run: chmod o-rwx %s", c.MDMVendorKey, c.MDMVendorKey)
	}
	key, err := os.ReadFile(c.MDMVendorKey)
	if err != nil {
		return nil, fmt.Errorf("--mdm-vendor-key: %w", err)
	}
	vendor, err := pushcert.ParseVendor(chain, key, c.MDMVendorKeyPassphrase.Reveal(), time.Time{})
	if err != nil {
		return nil, fmt.Errorf("--mdm-vendor-certificate and --mdm-vendor-key: %w", err)
	}
	return vendor, nil
}

// deviceRoutes are what people and devices call before a device is managed.
func (a *App) deviceRoutes() ([]portal.Route, error) {
	routes, err := portal.Routes(portal.Config{
		Service: a.AppleMDM, URL: a.config.DeviceURL(), Logger: a.config.Logger, Clock: a.config.Clock,
		Client:  func(ctx context.Context) string { return telemetry.ClientAddress(ctx).String() },
		Observe: a.Metrics.Enrolment,
	})
	for i := range routes {
		routes[i].Handler = httpd.Client(routes[i].Handler)
	}
	return routes, err
}
