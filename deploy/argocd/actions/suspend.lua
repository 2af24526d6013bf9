-- From here on nothing is created, changed or polled; deletion still works.
obj.spec.suspend = true
return obj
