package wire

// ValidSoftware reports whether a client's software name or version in ApiVersions is one that Kafka accepts (KIP-511):
// letters and digits, with dots and dashes between them. Others are answered with INVALID_REQUEST.
func ValidSoftware(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		inner := i > 0 && i < len(s)-1
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case inner && (c == '.' || c == '-'):
		default:
			return false
		}
	}
	return s != ""
}
