package ticket

import (
	"context"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// optionsAge is how long what a vendor offers is believed.
const optionsAge = 10 * time.Minute

// Options lists what the vendor offers for tickets, as it was read of late, or
// anew if that is asked for.
func (s *Service) Options(ctx context.Context, integrationID string, refresh bool) ([]psa.Option, error) {
	i, err := s.client.TicketingIntegration.Load(ctx, integrationID)
	if err != nil {
		return nil, err
	}
	if have, fresh := s.offered.get(i.ID); fresh && !refresh {
		return have, nil
	}
	return s.readOptions(ctx, i)
}

func (s *Service) readOptions(ctx context.Context, i *ent.TicketingIntegration) ([]psa.Option, error) {
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return nil, err
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	options, err := vendor.Options(calling)
	if err != nil {
		s.mistake(ctx, mistake{integration: i, operation: "options", cause: err})
		return nil, refused(err, "")
	}
	s.offered.put(i.ID, options)
	return options, nil
}

// settled are settings that the vendor offers all of, with the names that it
// has for what is chosen. What is not found among options that were read
// before is looked for once more among new ones, before it is refused.
func (s *Service) settled(ctx context.Context, i *ent.TicketingIntegration, settings Settings) (psa.Settings, error) {
	if have, fresh := s.offered.get(i.ID); fresh {
		if named, err := check(settings, have); err == nil {
			return named, nil
		}
	}
	options, err := s.readOptions(ctx, i)
	if err != nil {
		return nil, err
	}
	return check(settings, options)
}

func check(settings Settings, options []psa.Option) (psa.Settings, error) {
	if err := settings.Check(options); err != nil {
		return nil, within("input", err)
	}
	named, err := settings.Named(options)
	if err != nil {
		return nil, within("input", err)
	}
	return named, nil
}

// label is what people call a choice, or else the choice.
func label(options []psa.Option, name, value string) string {
	for _, o := range options {
		for _, v := range o.Values {
			if o.Name == name && v.Value == value {
				return v.Label
			}
		}
	}
	return value
}
