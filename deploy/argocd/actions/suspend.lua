-- Stops creating, updating and polling; deletion still works.
obj.spec.suspend = true
return obj
