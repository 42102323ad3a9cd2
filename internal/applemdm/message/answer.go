package message

import "github.com/bailiwick/bailiwick/internal/applemdm/plist"

// BootstrapToken is the answer to [GetBootstrapToken]. A nil token says that
// none is escrowed.
func BootstrapToken(token []byte) ([]byte, error) {
	answer := struct {
		BootstrapToken []byte `plist:",omitempty"`
	}{token}
	return plist.Encode(answer)
}

// Token is the answer to [GetToken].
func Token(data []byte) ([]byte, error) {
	return plist.Encode(struct{ TokenData []byte }{data})
}

// DigestChallenge is the answer to the first [UserAuthenticate]. The empty
// challenge accepts the user at once; a server that declines user channels
// answers 410 instead.
func DigestChallenge(challenge string) ([]byte, error) {
	return plist.Encode(struct{ DigestChallenge string }{challenge})
}
