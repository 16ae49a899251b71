/* bcryptprimitives.dll for versions of wine that lack it: the one function that Rust's standard library calls. */

#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG size);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T size)
{
    while (size > 0) {
        ULONG part = size > MAXLONG ? MAXLONG : (ULONG)size;
        if (!SystemFunction036(buffer, part)) {
            return FALSE;
        }
        buffer += part;
        size -= part;
    }
    return TRUE;
}
