"""Who a device is, said by an authority that is not the server: credentials, their revocation, and trust in them."""
