"""The ground floor: files, errors, processes, and facts that several floors need."""
