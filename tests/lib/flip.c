/* flip PKG PUBKEY...: flip every bit of a good package, cut it at every length, append and prepend bytes, and let each one be
 * verified with all of its keys trusted. Every one must be refused as not signed (exit status 6 of the command) or malformed (7).
 * Prints how many were tried. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "signer/verify.h"

struct tally {
	unsigned long long tried, sig, format;
};

static struct hp_trust trust;

static int
verify(const uint8_t *p, size_t len)
{
	static const struct hp_verify_opts opts = { .require = 1 };
	struct hp_verified_pkg *v;
	int r = hp_verify_bytes(hp_view_of(p, len), &trust, &opts, &v, NULL);

	if (r == 0)
		hp_verified_pkg_free(v);
	return r;
}

static void
must_refuse(struct tally *t, const uint8_t *p, size_t len, const char *what, size_t at)
{
	int r = verify(p, len);

	t->tried++;
	t->sig += r == HP_E_SIG;
	t->format += r == HP_E_FORMAT || r == HP_E_LIMIT;
	if (r == HP_E_SIG || r == HP_E_FORMAT || r == HP_E_LIMIT)
		return;
	(void)printf("%s %zu: %s\n", what, at, hp_err_name(r));
	exit(1);
}

static void
report(const char *what, const struct tally *t)
{
	(void)printf("%s: %llu tried, all refused (%llu signature, %llu format)\n", what, t->tried, t->sig, t->format);
}

static void
flip_bits(struct hp_buf *pkg)
{
	struct tally t = { 0 };

	for (size_t bit = 0; bit < pkg->len * 8; bit++) {
		pkg->p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		must_refuse(&t, pkg->p, pkg->len, "bit", bit);
		pkg->p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	report("flipped bits", &t);
}

static void
cut(const struct hp_buf *pkg)
{
	struct tally t = { 0 };

	for (size_t len = 0; len < pkg->len; len++) {
		/* A block of its own, so that a sanitizer sees a read beyond the end. */
		uint8_t *p = malloc(len > 0 ? len : 1);

		if (p == NULL)
			exit(1);
		if (len > 0)
			memcpy(p, pkg->p, len);
		must_refuse(&t, p, len, "length", len);
		must_refuse(&t, pkg->p + len + 1, pkg->len - len - 1, "without leading bytes", len + 1);
		free(p);
	}
	report("cut at either end", &t);
}

static void
add_bytes(const struct hp_buf *pkg)
{
	struct hp_buf longer = { 0 };
	struct tally t = { 0 };

	if (hp_buf_reserve(&longer, pkg->len + 600, NULL) < 0)
		exit(1);
	for (size_t n = 1; n <= 300; n++)
		for (unsigned fill = 0; fill <= 0xff; fill += 0x55) {
			memcpy(longer.p, pkg->p, pkg->len);
			memset(longer.p + pkg->len, (int)fill, n);
			must_refuse(&t, longer.p, pkg->len + n, "appended", n);
			memset(longer.p, (int)fill, n);
			memcpy(longer.p + n, pkg->p, pkg->len);
			must_refuse(&t, longer.p, pkg->len + n, "prepended", n);
		}
	hp_buf_release(&longer);
	report("bytes added at either end", &t);
}

int
main(int argc, char **argv)
{
	struct hp_buf pkg = { 0 };
	struct hp_err err = { 0 };
	char text[512];
	int r = argc > 2 ? hp_file_read(argv[1], HP_PKG_LEN_MAX, &pkg, &err) : 1;

	for (int i = 2; i < argc && r == 0; i++)
		r = hp_trust_add_path(&trust, argv[i], &err);
	if (r != 0 || verify(pkg.p, pkg.len) != 0) {
		hp_err_format(&err, text, sizeof(text));
		(void)fprintf(stderr, "flip: not a good package: %s\n", text);
		return 1;
	}
	flip_bits(&pkg);
	cut(&pkg);
	add_bytes(&pkg);
	r = verify(pkg.p, pkg.len);
	hp_trust_release(&trust);
	hp_buf_release(&pkg);
	return r == 0 ? 0 : 1;
}
