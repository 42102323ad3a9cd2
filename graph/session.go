package graph

import (
	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/access"
)

func sessionTokens(t *access.Tokens) *model.SessionTokens {
	if t == nil {
		return nil
	}
	return &model.SessionTokens{
		AccessToken: t.Access, AccessTokenExpiresAt: t.AccessExpires,
		RefreshToken: t.Refresh, RefreshTokenExpiresAt: t.RefreshExpires,
	}
}

// optional is null for an empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
