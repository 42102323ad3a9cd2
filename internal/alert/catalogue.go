package alert

import (
	"slices"
	"strings"

	"github.com/bailiwick/bailiwick/ent/alert"
)

// Category is the area that an alert type belongs to.
type Category string

// The categories.
const (
	Directory Category = "DIRECTORY" // users, groups and passwords
	System    Category = "SYSTEM"    // devices
	Admin     Category = "ADMIN"     // administrators and the service itself
	Access    Category = "ACCESS"    // sign-in and access
	General   Category = "GENERAL"   // anything else
	Partner   Category = "CUSTOM"    // raised by partners
)

// Type is something that an alert can be about.
type Type struct {
	UUID            string // fixed for ever, as the key is
	Key             string
	DisplayName     string
	Category        Category
	Description     string
	DefaultSeverity alert.Severity
	// Raisable says whether partners may raise it. What Bailiwick finds out by
	// itself would be ended by itself too.
	Raisable bool
	// Ticketed says whether it may become a ticket. What is wrong with
	// ticketing may not: its ticket would fail too, and raise the next.
	Ticketed bool
}

// The keys of the types that Bailiwick raises by itself, and of the one that is
// the partners' own.
const (
	PushCertificateExpiring = "PUSH_CERTIFICATE_EXPIRING"
	PushCertificateExpired  = "PUSH_CERTIFICATE_EXPIRED"
	ADETokenExpiring        = "ADE_TOKEN_EXPIRING" //nolint:gosec // the name of an alert
	ADETokenExpired         = "ADE_TOKEN_EXPIRED"  //nolint:gosec // the name of an alert
	DeviceMissing           = "DEVICE_MISSING"
	DeviceEnrolled          = "DEVICE_ENROLLED"
	DeviceUnenrolled        = "DEVICE_UNENROLLED"
	CommandFailed           = "COMMAND_FAILED"
	DiskEncryptionOff       = "DISK_ENCRYPTION_OFF"
	RecoveryKeyNotEscrowed  = "RECOVERY_KEY_NOT_ESCROWED"
	OSUpdateFailed          = "OS_UPDATE_FAILED"
	UserLockedOut           = "USER_LOCKED_OUT"
	PasswordExpiring        = "PASSWORD_EXPIRING"
	PasswordExpired         = "PASSWORD_EXPIRED"
	UserCreated             = "USER_CREATED"
	JobFailed               = "JOB_FAILED"
	SeatLimitReached        = "SEAT_LIMIT_REACHED"
	IntegrationFailing      = "INTEGRATION_FAILING"
	TicketDeliveryFailed    = "TICKET_DELIVERY_FAILED"
	PushCertificateRefused  = "PUSH_CERTIFICATE_REFUSED"
	Custom                  = "CUSTOM"
)

// Catalogue lists every type, in the order in which it is shown. Types may be
// added; a key or UUID is never changed or given to another.
func Catalogue() []Type {
	const low, medium, high = alert.SeverityLow, alert.SeverityMedium, alert.SeverityHigh
	return []Type{
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f01", PushCertificateExpiring, "Push certificate expiring", System,
			"The organization's Apple push certificate expires soon. Once it has, its devices no longer hear from us.", high, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f02", PushCertificateExpired, "Push certificate expired", System,
			"The organization's Apple push certificate has expired: its devices no longer hear from us.", high, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f15", PushCertificateRefused, "Push certificate refused", System,
			"Apple refuses the organization's push certificate: its devices no longer hear from us.", high, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f03", ADETokenExpiring, "Automated enrolment token expiring", System,
			"The organization's token of Automated Device Enrollment expires soon.", medium, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f04", ADETokenExpired, "Automated enrolment token expired", System,
			"The organization's token of Automated Device Enrollment has expired: new devices do not enrol by themselves.", high, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f05", DeviceMissing, "Device missing", System,
			"A device has not been heard of for longer than the organization allows.", medium, true, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f06", DeviceEnrolled, "Device enrolled", System,
			"A device has been enrolled.", low, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f07", DeviceUnenrolled, "Device gone", System,
			"A device has left management without being asked to.", medium, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f08", CommandFailed, "Command failed", System,
			"A device has refused a command, or failed to carry it out.", medium, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f09", DiskEncryptionOff, "Disk encryption off", System,
			"A device's disk is not encrypted.", high, true, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f0a", RecoveryKeyNotEscrowed, "Recovery key not escrowed", System,
			"A device's disk is encrypted, and its recovery key is not in our keeping.", medium, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f0b", OSUpdateFailed, "Operating system update failed", System,
			"A device has failed to update its operating system.", medium, true, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f0c", UserLockedOut, "User locked out", Access,
			"A user has been locked out after too many failed attempts to sign in.", medium, true, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f0d", PasswordExpiring, "Password expiring", Directory,
			"A user's password expires soon.", low, true, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f0e", PasswordExpired, "Password expired", Directory,
			"A user's password has expired.", medium, true, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f0f", UserCreated, "User created", Directory,
			"A user has been created.", low, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f10", JobFailed, "Job failed", General,
			"Work that somebody waited for has been given up.", medium, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f11", SeatLimitReached, "Seat limit reached", Admin,
			"The organization has as many users, or enrolled devices, as it may have.", medium, false, true},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f12", IntegrationFailing, "Integration failing", Admin,
			"The ticketing system refuses the integration's credentials: no tickets are delivered until they are renewed. It never becomes a ticket.", high, false, false},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f13", TicketDeliveryFailed, "Ticket delivery failed", Admin,
			"A ticket could not be delivered, and was given up. It never becomes a ticket.", high, false, false},
		{"0b6d6f1e-52b1-5c0e-9b0a-6a1c3b7b4f14", Custom, "Reported by a partner", Partner,
			"Whatever a partner's system reports.", medium, true, true},
	}
}

// Find returns a type by its key, or by its UUID in any case.
func Find(keyOrUUID string) (Type, bool) {
	all := Catalogue()
	i := slices.IndexFunc(all, func(t Type) bool { return t.Key == keyOrUUID || strings.EqualFold(t.UUID, keyOrUUID) })
	if i < 0 {
		return Type{}, false
	}
	return all[i], true
}
