package token

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// maxLength bounds what is parsed; our own tokens have about 600 bytes.
const maxLength = 4096

// mediaType tells an access token from any other JWT (RFC 9068).
const mediaType = "at+jwt"

// Subject is whom a token speaks for. What they may do is not in it: roles are
// looked up, so that a change counts at once.
type Subject struct {
	Administrator string // sub
	Session       string // sid: lets a sign-out end every token of a session
	Provider      string // prv
}

// Claims is what a verified token says.
type Claims struct {
	Subject
	ID      string    // jti
	Issued  time.Time // iat
	Expires time.Time // exp
}

// Authority issues and verifies access tokens. It is safe for concurrent use.
type Authority struct {
	keys             *KeySet
	issuer, audience string
	parser           *jwt.Parser
}

// NewAuthority returns an authority whose tokens name issuer (its public URL)
// and audience (the API's).
func NewAuthority(keys *KeySet, issuer, audience string) (*Authority, error) {
	if issuer == "" || audience == "" {
		return nil, errors.New("token: issuer and audience must be set")
	}
	return &Authority{
		keys: keys, issuer: issuer, audience: audience,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
			jwt.WithIssuer(issuer), jwt.WithAudience(audience),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
			jwt.WithStrictDecoding(), jwt.WithTimeFunc(keys.clock),
		),
	}, nil
}

type claims struct {
	jwt.RegisteredClaims
	Session  string `json:"sid"`
	Provider string `json:"prv"`
}

// Validate makes the parser refuse a token that lacks what we always set.
func (c *claims) Validate() error {
	if c.Subject == "" || c.Session == "" || c.Provider == "" || c.ID == "" || c.IssuedAt == nil || c.NotBefore == nil {
		return jwt.ErrTokenRequiredClaimMissing
	}
	return nil
}

// Issue signs a token for a subject and says when it expires. It answers
// UNAVAILABLE when no key can be had that is sure to outlive the token.
func (a *Authority) Issue(ctx context.Context, subject Subject) (raw string, issued Claims, err error) {
	key, err := a.keys.signer(ctx)
	if err != nil {
		return "", Claims{}, fault.New(fault.Unavailable, "sign-in is not available at the moment").Wrap(err)
	}
	now := a.keys.clock().Truncate(time.Second).UTC()
	issued = Claims{Subject: subject, ID: rand.Text(), Issued: now, Expires: now.Add(a.keys.schedule.Lifetime)}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, &claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: a.issuer, Audience: jwt.ClaimStrings{a.audience}, Subject: subject.Administrator, ID: issued.ID,
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(issued.Expires),
		},
		Session: subject.Session, Provider: subject.Provider,
	})
	token.Header["kid"], token.Header["typ"] = key.ID, mediaType
	if raw, err = token.SignedString(key.Private); err != nil {
		return "", Claims{}, fault.New(fault.Internal, "the token could not be signed").Wrap(err)
	}
	return raw, issued, nil
}

// Verify returns what a token says, or UNAUTHENTICATED: for a caller all
// reasons read alike, the log has the cause. Whether the session still exists
// is the caller's to check.
func (a *Authority) Verify(ctx context.Context, raw string) (Claims, error) {
	if len(raw) > maxLength {
		return Claims{}, refused(errors.New("token is too long"))
	}
	var c claims
	_, err := a.parser.ParseWithClaims(raw, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		if typ, _ := t.Header["typ"].(string); kid == "" || typ != mediaType {
			return nil, errors.New("token is of another type or names no key")
		}
		key, ok := a.keys.verifier(ctx, kid)
		if !ok {
			return nil, errors.New("token names an unknown key")
		}
		return key.Public(), nil
	})
	if err != nil {
		return Claims{}, refused(err)
	}
	return Claims{
		Subject: Subject{Administrator: c.Subject, Session: c.Session, Provider: c.Provider},
		ID:      c.ID, Issued: c.IssuedAt.UTC(), Expires: c.ExpiresAt.UTC(),
	}, nil
}

func refused(err error) error {
	return fault.New(fault.Unauthenticated, "the access token is not valid or has expired").Wrap(err)
}
