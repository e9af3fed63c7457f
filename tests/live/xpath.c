/* XPath evaluation that enters itself through a function of the application, as EXSLT's dyn:evaluate does: how deep, 20000 at
 * most? */
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <stdio.h>
#include <unistd.h>

static int depth;

static void
again(xmlXPathParserContextPtr ctxt, int nargs)
{
	xmlXPathObjectPtr obj = NULL;

	(void)nargs;
	if (++depth < 20000)
		obj = xmlXPathEval(BAD_CAST "again()", ctxt->context);
	xmlXPathFreeObject(obj);
	valuePush(ctxt, xmlXPathNewFloat(1));
}

static void
silent(void *ctx, const char *msg, ...)
{
	(void)ctx;
	(void)msg;
}

int
main(void)
{
	xmlDocPtr doc = xmlReadMemory("<a/>", 4, "a.xml", NULL, 0);

	xmlSetGenericErrorFunc(NULL, silent);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		xmlXPathContextPtr ctxt = xmlXPathNewContext(doc);

		depth = 0;
		xmlXPathRegisterFunc(ctxt, BAD_CAST "again", again);
		xmlXPathFreeObject(xmlXPathEval(BAD_CAST "again()", ctxt));
		xmlXPathFreeContext(ctxt);
		printf("depth %d\n", depth);
		usleep(200000);
	}
}
