package endpoint

import (
	"context"
	"net/http"

	"github.com/bailiwick/bailiwick/internal/applemdm/membership"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
)

// checkin obeys a check-in message and answers the document that it asks for,
// if any.
func (h *Handler) checkin(ctx context.Context, s sender, m message.Checkin) ([]byte, error) {
	switch m := m.(type) {
	case *message.Authenticate:
		return nil, h.Members.Authenticate(ctx, membership.Arriving{
			Organization: s.organization, Sender: s.Sender, Topic: s.authority.Topic, Seat: s.authority.Seat,
		}, m)
	case *message.TokenUpdate:
		if m.ChannelUserID() != "" && !h.UserChannels {
			return nil, refusal(http.StatusGone)
		}
		return nil, h.Members.TokenUpdate(ctx, s.Sender, m)
	case *message.CheckOut:
		return nil, h.Members.CheckOut(ctx, s.Sender, m)
	case *message.SetBootstrapToken:
		return nil, h.Members.SetBootstrapToken(ctx, s.Sender, m)
	case *message.GetBootstrapToken:
		token, err := h.Members.BootstrapToken(ctx, s.Sender, m)
		if err != nil {
			return nil, err
		}
		return message.BootstrapToken(token)
	}
	// The rest changes nothing here, and is answered to members alone.
	if err := h.Members.Recognized(ctx, s.Sender, m.Sender()); err != nil {
		return nil, err
	}
	switch m.(type) {
	case *message.UserAuthenticate:
		if !h.UserChannels {
			return nil, refusal(http.StatusGone)
		}
		return message.DigestChallenge("") // people are not asked for a password of ours
	case *message.DeclarativeManagement:
		return nil, refusal(http.StatusNotFound) // there are no declarations
	default: // GetToken: no service gives any
		return nil, refusal(http.StatusBadRequest)
	}
}
