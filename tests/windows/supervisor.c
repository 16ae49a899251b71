/* Runs a program as a supervisor of services does on Windows: in a console that nobody sees, with the streams of this
   program. Ctrl-C for this program makes it stop the other as such supervisors do: it attaches itself to that console
   and sends Ctrl-C to all in it. Its exit code is that of the other. */

#define _WIN32_WINNT 0x0A00
#define NTDDI_VERSION 0x0A000006

#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static DWORD program;

static int fail(const char *what)
{
    fprintf(stderr, "supervisor: %s (error %lu)\n", what, GetLastError());
    return 125;
}

static BOOL WINAPI ignore(DWORD event)
{
    (void)event;
    return TRUE;
}

static BOOL WINAPI stop_program(DWORD event)
{
    (void)event;
    SetConsoleCtrlHandler(stop_program, FALSE);
    SetConsoleCtrlHandler(ignore, TRUE);
    FreeConsole();
    if (!AttachConsole(program) || !GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) {
        fail("cannot send Ctrl-C");
    }
    return TRUE;
}

/* The console's picture. Nobody looks at it, but the console waits for somebody to take it. */
static DWORD WINAPI take_picture(void *picture)
{
    char bytes[4096];
    DWORD length;
    while (ReadFile(picture, bytes, sizeof bytes, &length, NULL)) {
    }
    return 0;
}

static HPCON make_console(void)
{
    HANDLE keys, keyboard, picture, screen;
    HPCON console;
    COORD size = {80, 25};
    if (!CreatePipe(&keys, &keyboard, NULL, 0) || !CreatePipe(&picture, &screen, NULL, 0)) {
        return NULL;
    }
    if (FAILED(CreatePseudoConsole(size, keys, screen, 0, &console))) {
        return NULL;
    }
    return CreateThread(NULL, 0, take_picture, picture, 0, NULL) ? console : NULL;
}

static BOOL start(wchar_t *path, HPCON console, PROCESS_INFORMATION *process)
{
    STARTUPINFOEXW startup = {0};
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    startup.lpAttributeList = malloc(size);
    startup.StartupInfo.cb = sizeof startup;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.StartupInfo.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup.StartupInfo.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    return startup.lpAttributeList != NULL
        && InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size)
        && UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, console,
                                     sizeof console, NULL, NULL)
        && CreateProcessW(path, NULL, NULL, NULL, TRUE, EXTENDED_STARTUPINFO_PRESENT, NULL, NULL,
                          &startup.StartupInfo, process);
}

int wmain(int count, wchar_t **arguments)
{
    PROCESS_INFORMATION process;
    HPCON console;
    DWORD code;
    if (count != 2) {
        return fail("usage: supervisor PROGRAM");
    }
    console = make_console();
    if (console == NULL) {
        return fail("cannot make a console");
    }
    if (!start(arguments[1], console, &process)) {
        return fail("cannot start the program");
    }
    program = process.dwProcessId;
    SetConsoleCtrlHandler(stop_program, TRUE);
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    return (int)code;
}
