package profile_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/profile"
	"github.com/bailiwick/bailiwick/internal/testkit/appleschema"
)

// TestJudgedByApple holds every enrolment profile that can be made to Apple's
// own description.
func TestJudgedByApple(t *testing.T) {
	schema := appleschema.Open(t)
	root := newAuthority(t).Certificate()
	for name, change := range map[string]func(*profile.Enrollment){
		"device": func(*profile.Enrollment) {},
		"all": func(e *profile.Enrollment) {
			e.Description, e.Roots = "Manages this device.", []*x509.Certificate{root}
			e.PromptUserToAllowBootstrapTokenForAuthentication = true
		},
		"few rights": func(e *profile.Enrollment) { e.AccessRights, e.SignMessage = profile.InspectProfiles, false },
		"user": func(e *profile.Enrollment) {
			e.User = &profile.User{AssignedManagedAppleID: "ann@acme.example", EnrollmentMode: profile.BYOD}
		},
		"user, organization's device": func(e *profile.Enrollment) {
			e.User = &profile.User{AssignedManagedAppleID: "ann@acme.example", EnrollmentMode: profile.ADDE}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := enrollment()
			change(&e)
			document, err := e.Marshal()
			require.NoError(t, err)
			top, payloads := decode(t, document)
			assert.Empty(t, schema.Profile(t, top))
			if e.User == nil {
				return
			}
			assert.Empty(t, appleschema.ForbiddenInUserEnrollment(schema.Load(t, "mdm/profiles/TopLevel.yaml"), top))
			for kind, payload := range payloads {
				assert.Empty(t, appleschema.ForbiddenInUserEnrollment(schema.Load(t, "mdm/profiles/"+kind+".yaml"), payload))
			}
		})
	}
}

// TestJudgeIsAwake spoils a good profile in every way that the judge looks for.
func TestJudgeIsAwake(t *testing.T) {
	schema := appleschema.Open(t)
	for finding, spoil := range map[string]func(top, mdm, scep map[string]any){
		"PayloadOrganisation is not described":                          func(top, _, _ map[string]any) { top["PayloadOrganisation"] = "x" },
		`PayloadScope is Computer, not one of [System User]`:            func(top, _, _ map[string]any) { top["PayloadScope"] = "Computer" },
		"com.apple.mdm: Topic is required":                              func(_, mdm, _ map[string]any) { delete(mdm, "Topic") },
		"com.apple.mdm: AccessRights is string, not <integer>":          func(_, mdm, _ map[string]any) { mdm["AccessRights"] = "8191" },
		`com.apple.mdm: ServerURL is "http://x", against ^https://.*$`:  func(_, mdm, _ map[string]any) { mdm["ServerURL"] = "http://x" },
		"com.apple.mdm: EnrollmentMode is byod, not one of [BYOD ADDE]": func(_, mdm, _ map[string]any) { mdm["EnrollmentMode"] = "byod" },
		"com.apple.mdm: PayloadUUID is used twice":                      func(_, mdm, scep map[string]any) { mdm["PayloadUUID"] = scep["PayloadUUID"] },
		"com.apple.security.scep: PayloadContent URL is required":       func(_, _, scep map[string]any) { delete(scep["PayloadContent"].(map[string]any), "URL") },
		"com.apple.security.scep: PayloadContent Keysize is 2047, not one of [1024 2048 4096]": func(_, _, scep map[string]any) {
			scep["PayloadContent"].(map[string]any)["Keysize"] = uint64(2047)
		},
		"com.apple.security.scep: PayloadContent Subject [0] [0] has 1 elements": func(_, _, scep map[string]any) {
			scep["PayloadContent"].(map[string]any)["Subject"] = []any{[]any{[]any{"CN"}}}
		},
	} {
		document, err := enrollment().Marshal()
		require.NoError(t, err)
		top, payloads := decode(t, document)
		spoil(top, payloads["com.apple.mdm"], payloads["com.apple.security.scep"])
		assert.Equal(t, []string{finding}, schema.Profile(t, top))
	}
}
