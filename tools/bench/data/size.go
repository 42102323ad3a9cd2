// Package data fills a migrated database with a provider that is large enough
// to measure on, the same rows for the same size every time.
package data

import (
	"errors"
	"fmt"
)

// Size says how much there is.
type Size struct {
	Organizations int // of the measured provider
	Devices       int // shared out evenly over the organizations
	Alerts        int // open ones; as many again are resolved
}

// Devices per user: three of four devices have one.
const devicesPerUser = 4

// Validate reports a size that the queries could not be asked of.
func (s Size) Validate() error {
	switch {
	case s.Organizations < 1:
		return errors.New("at least one organization")
	case s.Devices < s.Organizations*devicesPerUser:
		return fmt.Errorf("at least %d devices for each organization", devicesPerUser)
	case s.Alerts < 0:
		return errors.New("a negative number of alerts")
	}
	return nil
}

// String names the size in a database's name and in a report.
func (s Size) String() string {
	return fmt.Sprintf("%d_%d_%d", s.Organizations, s.Devices, s.Alerts)
}

// neighbour is the size of the provider beside the measured one: its rows must
// never be answered, and keep the planner from taking the provider for granted.
func (s Size) neighbour() Size {
	organizations := max(2, s.Organizations/100)
	return Size{
		Organizations: organizations,
		Devices:       organizations * (s.Devices / s.Organizations),
		Alerts:        organizations * max(1, s.Alerts/s.Organizations),
	}
}
