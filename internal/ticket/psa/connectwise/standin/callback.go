package standin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// keyID names the key that callbacks are signed with.
const keyID = "7d4c6b1e"

func readKey(s *Server, _ *account, r *http.Request, _ []byte) answer {
	if r.PathValue("key") != keyID {
		return notHere()
	}
	return answer{status: http.StatusOK, body: object{"signing_key": s.key}}
}

// RotateKey signs callbacks with a new key from now on.
func (s *Server) RotateKey() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = rand.Text()
}

// Callback is what ConnectWise posts when a ticket changes: the body, and the
// signature that its header carries. root is the server's own address. It
// reports false if the account has no such ticket.
func (s *Server) Callback(publicKey, root, action string, ticketID int64) (body []byte, signature string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		t, found := a.ticket(ticketID)
		if a.PublicKey != publicKey || !found {
			continue
		}
		body, signature, err := s.sign(a, root, action, t)
		return body, signature, err == nil
	}
	return nil, "", false
}

func (s *Server) sign(a *account, root, action string, t *Ticket) (body []byte, signature string, err error) {
	entity, err := json.Marshal(a.render(t))
	if err != nil {
		return nil, "", err
	}
	body, err = json.Marshal(object{
		"MessageId": rand.Text(), "FromUrl": root, "CompanyId": a.CompanyID, "MemberId": "API", "Action": action, "Type": "ticket", "ID": t.ID,
		"Entity": string(entity), "Metadata": object{"key_url": strings.TrimRight(root, "/") + "/login/keys/" + keyID},
	})
	if err != nil {
		return nil, "", err
	}
	key := sha256.Sum256([]byte(s.key))
	mac := hmac.New(sha256.New, key[:])
	mac.Write(body) // a hash never fails
	return body, base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}
