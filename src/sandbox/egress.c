/*
 * Addresses functions shall not reach, by user id, where the host has nftables and we are root.
 * What cannot be shut is a line of the report.
 */
#include "sandbox_private.h"

void egress_open(struct sandbox_host *host)
{
    report_layer(host, "egress filter", false, "nft is not installed");
}

void egress_close(struct sandbox_host *host)
{
    (void)host;
}
