/*
 * What of libwebsockets Rust cannot say without its headers: the making of a context, and its wake-up descriptor.
 * Everything else is declared in ffi.rs, and compared with the headers here.
 */

#define _GNU_SOURCE

#include <libwebsockets.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if !defined(LWS_WITH_SYS_SMD)
#error "this libwebsockets was built without lws_smd (LWS_WITH_SYS_SMD)"
#endif

#define SAME(function, type) \
	_Static_assert(_Generic(&function, type: 1, default: 0), #function " is declared otherwise in ffi.rs")

typedef int (*received_t)(void *, uint32_t, int64_t, void *, size_t);

SAME(lws_smd_register, struct lws_smd_peer *(*)(struct lws_context *, void *, int, uint32_t, received_t));
SAME(lws_smd_msg_alloc, void *(*)(struct lws_context *, uint32_t, size_t));
SAME(lws_smd_msg_free, void (*)(void **));
SAME(lws_smd_msg_send, int (*)(struct lws_context *, void *));
SAME(lws_service, int (*)(struct lws_context *, int));
SAME(lws_context_destroy, void (*)(struct lws_context *));

/* A context that neither listens nor connects: no port, no virtual host, no certificates. NULL if it cannot be. */
struct lws_context *
smd_lws_open(void)
{
	struct lws_context_creation_info info;

	memset(&info, 0, sizeof(info));
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
	info.uid = (uid_t)-1;
	info.gid = (gid_t)-1;
	/* Without this it tells a refused message, and much else, on standard error. */
	lws_set_log_level(LLL_ERR, NULL);
	return lws_create_context(&info);
}

static int
is_readable(int descriptor)
{
	struct pollfd asked = { .fd = descriptor, .events = POLLIN };

	return poll(&asked, 1, 0) == 1 && (asked.revents & POLLIN);
}

static int
is_eventfd(int descriptor)
{
	static const char name[] = "anon_inode:[eventfd]";
	char path[32], target[sizeof(name) + 1];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	length = readlink(path, target, sizeof(target));
	return length == (ssize_t)(sizeof(name) - 1) && !memcmp(target, name, sizeof(name) - 1);
}

/*
 * The descriptor by which lws_cancel_service() wakes this context's loop, which has no name in its interface: the one
 * that becomes readable by each wake-up and ceases to be by each service. Those of other contexts do so only by
 * chance, and not sixteen times. Negative if there is none.
 */
int
smd_lws_wake_descriptor(struct lws_context *context)
{
	enum { MOST = 4096, ROUNDS = 16 };
	unsigned char may[MOST];
	int descriptor, round, found = -1;

	for (descriptor = 0; descriptor < MOST; descriptor++)
		may[descriptor] = is_eventfd(descriptor);
	for (round = 0; round < ROUNDS; round++) {
		lws_service(context, -1);
		for (descriptor = 0; descriptor < MOST; descriptor++)
			may[descriptor] = may[descriptor] && !is_readable(descriptor);
		lws_cancel_service(context);
		for (descriptor = 0; descriptor < MOST; descriptor++)
			may[descriptor] = may[descriptor] && is_readable(descriptor);
	}
	lws_service(context, -1);
	for (descriptor = 0; descriptor < MOST; descriptor++)
		if (may[descriptor] && !is_readable(descriptor))
			found = found == -1 ? descriptor : -2;
	return found;
}

/* Sleeps until a descriptor is readable, a signal comes, or so many milliseconds are over; negative for ever. */
void
smd_lws_sleep(int descriptor, int timeout)
{
	struct pollfd asked = { .fd = descriptor, .events = POLLIN };

	poll(&asked, 1, timeout);
}
