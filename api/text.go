package api

import (
	"encoding/base32"
	"encoding/base64"
)

// How random bytes are written: ids in Crockford's base32, in small letters and without
// an underscore, which ends them; secrets in base64url.
var (
	idText     = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
	secretText = base64.RawURLEncoding
)
