/* Programs that use a library of the corpus: for each line of input one line that tells whether the flaw is there. Compiled with
 * -DCASE_<package>; prototypes are written out, so that no package of headers is needed. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(CASE_cjson)
void *cJSON_Parse(const char *);
void *cJSONUtils_GetPointer(void *array, const char *pointer);

/* CVE-2025-57052: only the first character of an index was checked. */
static void
probe(void)
{
	void *array = cJSON_Parse("[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29]");

	puts(cJSONUtils_GetPointer(array, "/1A") != NULL ? "/1A is an element" : "/1A is none");
}
#elif defined(CASE_expat)
void *XML_ParserCreate(const char *encoding);
void *XML_GetBuffer(void *parser, int len);
int XML_ParseBuffer(void *parser, int len, int is_final);
int XML_GetErrorCode(void *parser);
void XML_ParserFree(void *parser);

/* CVE-2024-45490: a negative length. */
static void
probe(void)
{
	void *parser = XML_ParserCreate(NULL);
	int status;

	memcpy(XML_GetBuffer(parser, 64), "<a>xxxxxx", 9);
	status = XML_ParseBuffer(parser, -1, 0);
	printf("status %d, error %d\n", status, XML_GetErrorCode(parser));
	XML_ParserFree(parser);
}
#elif defined(CASE_giflib)
struct map {
	int count, bits;
	char sorted;
	void *colors;
};
struct desc {
	int left, top, width, height;
	char interlace;
	struct map *map;
};
struct image {
	struct desc desc;
	unsigned char *bits;
	int exts_cnt;
	void *exts;
};
struct gif {
	int width, height, resolution, background;
	unsigned char aspect;
	struct map *map;
	int images_cnt;
	struct desc desc;
	struct image *images;
	char rest[128];
};
struct image *GifMakeSavedImage(struct gif *, const struct image *from);
struct map *GifMakeMapObject(int count, const void *colors);
void *__libc_calloc(size_t, size_t);
void __libc_free(void *);

static unsigned char pixels[4];
static int short_of_memory, lost;

void *
calloc(size_t cnt, size_t len)
{
	return short_of_memory ? NULL : __libc_calloc(cnt, len);
}

void
free(void *p)
{
	if (p == pixels)
		lost = 1;
	else
		__libc_free(p);
}

/* CVE-2026-23868: memory runs out while an image is copied, and the half copy, still with the pointers of the image that it was
 * made from, is freed. */
static void
probe(void)
{
	static const unsigned char colors[6];
	static struct image from = { .desc = { .width = 2, .height = 2 }, .bits = pixels };
	struct gif gif = { 0 };
	struct image *made;

	if (from.desc.map == NULL)
		from.desc.map = GifMakeMapObject(2, colors);
	lost = 0;
	short_of_memory = 1;
	made = GifMakeSavedImage(&gif, &from);
	short_of_memory = 0;
	printf("%s, its source's pixels %s\n", made == NULL ? "no copy" : "a copy", lost ? "freed" : "kept");
}
#elif defined(CASE_libxml2)
struct error {
	int domain, code;
	char *message;
};
void *xmlReadMemory(const char *text, int len, const char *url, const char *encoding, int options);
void *xmlSchematronNewMemParserCtxt(const char *text, int len);
void *xmlSchematronParse(void *parser);
void *xmlSchematronNewValidCtxt(void *schema, int options);
void xmlSchematronSetValidStructuredErrors(void *valid, void (*heard)(void *, struct error *), void *data);
int xmlSchematronValidateDoc(void *valid, void *doc);

static void
heard(void *data, struct error *e)
{
	(void)data;
	printf("%.*s\n", (int)strcspn(e->message, "\n"), e->message);
}

/* CVE-2025-49794: the node that <name path> selects was used after its set was freed, and whatever kind of node it was. A text
 * has no name to be reported. */
static void
probe(void)
{
	static const char rules[] = "<schema xmlns='http://purl.oclc.org/dsdl/schematron'><pattern id='p'><rule context='a'>"
				    "<assert test='b'>[<name path='text()'/>] in [<name/>]</assert></rule></pattern></schema>";
	static const char text[] = "<a>words</a>";
	static void *valid, *doc;

	if (valid == NULL) {
		valid = xmlSchematronNewMemParserCtxt(rules, sizeof(rules) - 1);
		valid = xmlSchematronNewValidCtxt(xmlSchematronParse(valid), 1 << 3 /* XML_SCHEMATRON_OUT_ERROR */);
		doc = xmlReadMemory(text, sizeof(text) - 1, "a.xml", NULL, 0);
		xmlSchematronSetValidStructuredErrors(valid, heard, NULL);
	}
	if (xmlSchematronValidateDoc(valid, doc) != 1)
		puts("not as expected");
}
#elif defined(CASE_yajl)
void *yajl_gen_alloc(const void *funcs);
int yajl_gen_number(void *gen, const char *text, size_t len);

/* CVE-2022-24795: the size of a buffer was doubled until it was large enough, or until it was 0 and for ever. In a child, which
 * inherits the fix. */
static void
probe(void)
{
	int status, left = 50;
	pid_t pid = fork();

	if (pid == 0)
		_exit(yajl_gen_number(yajl_gen_alloc(NULL), "1", SIZE_MAX - 15));
	while (waitpid(pid, &status, WNOHANG) == 0 && left-- > 0)
		usleep(20000);
	if (left < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		puts("never ends");
	} else {
		puts(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? "aborts" : "goes on");
	}
}
#endif

int
main(void)
{
	char line[16];

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL)
		probe();
	return 0;
}
