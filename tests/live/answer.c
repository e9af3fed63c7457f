/* The function that is replaced, in a unit of its own: part of the victim or a library. */
int answer(void);

int
answer(void)
{
	return 1;
}
