package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/secret"
)

type holder struct {
	Exported   secret.Text
	unexported secret.Text
	pointer    *secret.Text
}

func TestTextIsNeverPrinted(t *testing.T) {
	const plain = "hunter2"
	text := secret.NewText(plain)
	held := holder{Exported: text, unexported: text, pointer: &text}
	hex := fmt.Sprintf("%x", plain)

	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10s"} {
		for _, value := range []any{text, &text, held, &held, []secret.Text{text}, map[string]secret.Text{"k": text}} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
	}
	fmt.Fprintln(&printed, text, held)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil)} {
		slog.New(handler).Info("m", "text", text, "pointer", &text, "held", held)
	}
	encoded, err := json.Marshal(map[string]any{"text": text, "held": held})
	require.NoError(t, err)
	printed.Write(encoded)
	require.NotContains(t, printed.String(), plain)
	require.NotContains(t, printed.String(), hex)

	require.Equal(t, "[secret]", text.String())
	require.Equal(t, "[secret]", fmt.Sprintf("%#v", text))
	require.Equal(t, "[secret]", fmt.Sprintf("%d", text))
	require.Equal(t, plain, text.Reveal())
}

func TestTextDecodesLikeAString(t *testing.T) {
	var input struct{ Password secret.Text }
	require.NoError(t, json.Unmarshal([]byte(`{"Password":"hunter2"}`), &input))
	require.Equal(t, "hunter2", input.Password.Reveal())
	require.True(t, input.Password.Equal(secret.NewText("hunter2")))
	require.False(t, input.Password.Equal(secret.Text{}))
	require.True(t, secret.Text{}.IsZero())
	require.True(t, secret.NewText("").Equal(secret.Text{}))
}
